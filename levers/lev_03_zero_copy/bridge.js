// What both variants share on the guest's side. `connect(receive, memory, present)` is the variant's own part: it
// gives the function that hands a message to the host.
(connect, receive, memory) => {
  const size = memory.length;
  // A guest can detach its memory (transfer); it cannot get it back.
  const present = () => {
    if (memory.length !== size) throw new Error("guest memory is gone");
  };
  const send = connect(receive, memory, present);
  const call = (offset, length) => {
    present();
    const answer = send(offset, length);
    if (typeof answer === "string") throw new Error(answer);
    present();
    return answer;
  };
  return { memory, call };
}
