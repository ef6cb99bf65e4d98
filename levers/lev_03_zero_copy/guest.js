// The guest's program: what timed operations and edge cases do in the runtime. The same for both variants.
({ memory, call }, collect, grants) => {
  const HEADER = 24, SLOTS = 16;
  const words = new Uint32Array(memory.buffer);
  const halves = (grant) => [parseInt(grant.slice(8), 16), parseInt(grant.slice(0, 8), 16)];
  const granted = Object.fromEntries(Object.entries(grants).map(([name, grant]) => [name, halves(grant)]));
  let number = 0, state = 1, outcomes, notified;

  // xorshift32
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };

  const fill = (at, size, seed) => {
    state = seed | 1;
    for (let i = at; i < at + size; i++) memory[i] = next() >>> 11;
  };

  const header = (at, name, size, replyAt, replyRoom) => {
    const word = at >>> 2;
    const [low, high] = granted[name];
    number++;
    words[word] = low;
    words[word + 1] = high;
    words[word + 2] = number;
    words[word + 3] = size;
    words[word + 4] = replyAt;
    words[word + 5] = replyRoom;
  };

  // Bytes that depend on the call's number are new in each call, and read by the host (or by the guest: replies).
  const sampled = (size) => (Math.imul(number, 40503) >>> 0) % size;

  const stamp = (at, size) => {
    const value = next();
    memory[at] = value;
    memory[at + size - 1] = value >>> 8;
    memory[at + sampled(size)] = value >>> 16;
  };

  const ask = (at, size, tableBytes, replyAt) => {
    words[(at + HEADER) >>> 2] = next() % (tableBytes - size);
    words[(at + HEADER + 4) >>> 2] = size;
    const answer = call(at, HEADER + 8);
    return answer + (memory[replyAt] << 16) + (memory[replyAt + size - 1] << 8) + memory[replyAt + sampled(size)];
  };

  const tell = (at, size) => {
    stamp(at + HEADER, size);
    return call(at, HEADER + size);
  };

  // A batch of calls from a ring of messages, as a guest that reuses its buffers makes them.
  const batch = ({ seed, calls, mix, tableBytes }) => {
    const largest = Math.max(...mix.map(([, size]) => size));
    const stride = (HEADER + largest + 7) & ~7;
    const slots = Math.min(SLOTS, Math.floor(memory.length / stride) - 1);
    const replyAt = slots * stride;
    let digest = 0;
    state = seed | 1;
    for (let i = 0; i < calls; i++) {
      const at = (i % slots) * stride;
      const [name, size] = mix[next() % mix.length];
      const reads = name === "read";
      header(at, name, reads ? 8 : size, replyAt, reads ? size : 0);
      const answer = reads ? ask(at, size, tableBytes, replyAt) : tell(at, size);
      digest = (Math.imul(digest, 33) + answer) | 0;
    }
    return [calls, digest >>> 0];
  };

  // Edge cases are lists of steps. A text in place of a number is an expression: "NaN", "2 ** 53", "'8'".
  const value = (given) => (typeof given === "string" ? Function(`return (${given})`)() : given);

  const steps = {
    fill: (at, size, seed) => fill(at, size, seed),
    poke: (at, bytes) => memory.set(bytes, at),
    word: (at, given) => void (words[at >>> 2] = given),
    header: (at, name, size, replyAt = 0, replyRoom = 0) => header(at, name, size, replyAt, replyRoom),
    call: (offset, length) => call(value(offset), value(length)),
    bytes: (at, size) => [...memory.subarray(at, at + size)],
    peek: (at, size) => {
      let digest = 2166136261;
      for (let i = at; i < at + size; i++) digest = Math.imul(digest ^ memory[i], 16777619);
      return digest >>> 0;
    },
    transfer: (...size) => void memory.buffer.transfer(...size),
    resize: (size) => memory.buffer.resize(size),
    run: (text) => void Function("memory", text)(memory),
    churn: (count) => {
      for (let i = 0; i < count; i++) new Uint8Array(4096).fill(i);
    },
    collect: () => void collect(),
    listen: (nested) => void (notified = nested),
  };

  const perform = ([name, ...rest]) => {
    if (name === "throw") throw new RangeError(rest[0]);
    try {
      const outcome = steps[name](...rest);
      if (outcome !== undefined) outcomes.push([name, outcome]);
    } catch (error) {
      outcomes.push([name, `refused: ${error.message}`]);
    }
  };

  const script = (list) => {
    outcomes = [];
    notified = [];
    list.forEach(perform);
    return outcomes;
  };

  const run = (text) => {
    const operation = JSON.parse(text);
    return JSON.stringify(operation.script ? script(operation.script) : batch(operation));
  };

  for (let i = 0; i < words.length; i++) words[i] = next();
  return [run, () => notified.forEach(perform)];
}
