"""The bridge that clones: a message leaves the guest as a copy, and the engine as another.

As a careful engineer ships it who wants no shared memory between the two: `slice` takes the message out of the
guest's memory, so whatever the guest does next does not matter; `bytes` takes it out of the engine's heap, so
whatever the engine frees does not matter. The header is looked at once, the payload is a view of the copy.

With `copies: 1` the engine lends the host a view of the guest's memory and `bytes` makes the only copy, which is
enough for calls that end before the guest goes on. Scenarios named `one-copy-*` compare with that.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from host import ALIGNMENT, HEADER, HEADER_BYTES, OUTSIDE, REPLY_AT, Host, Refused, call_of, refusal
from runtime import Runtime

TAKE = {1: "subarray", 2: "slice"}

CONNECT = """(receive, memory, present) => {{
  const {{ isInteger }} = Number;
  const header = new DataView(memory.buffer);
  return (offset, length) => {{
    const named = isInteger(offset) && isInteger(length) && offset >= 0 && length >= {header};
    if (!named || offset % {alignment} !== 0 || offset + length > memory.length) throw new Error({outside!r});
    const replyAt = header.getUint32(offset + {reply_at}, true);  // before the host runs: it may call the guest back
    const answer = receive(memory.{take}(offset, offset + length));
    if (typeof answer !== "object") return answer;
    present();
    memory.set(answer, replyAt);
    return answer.length;
  }};
}}"""


class Subject:
    """A guest on the bridge that clones. `copies` (2): how often a message is copied on its way."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        take = TAKE[params.get("copies", 2)]
        connect = CONNECT.format(
            header=HEADER_BYTES, alignment=ALIGNMENT, outside=OUTSIDE, take=take, reply_at=REPLY_AT
        )
        self._host = Host()
        self._runtime = Runtime(self._host, connect, self._receive)

    def operate(self, operation: dict[str, Any]) -> dict[str, Any]:
        """What the guest got back and what the host has seen."""
        return {"guest": self._runtime.run(operation), "host": self._host.report()}

    def close(self) -> None:
        """Ends the guest."""
        self._runtime.close()

    def _receive(self, message: memoryview) -> int | str | bytearray:
        try:
            return self._answer(bytes(message))
        except Exception as error:  # noqa: BLE001 (whatever a host function raises ends here, as a text for the guest)
            return refusal(error)

    def _answer(self, message: bytes) -> int | bytearray:
        call = call_of(HEADER.unpack_from(message))
        function = self._host.admit(call, len(message))
        with memoryview(message)[HEADER_BYTES:] as payload:
            answer = function(call, payload)
        if isinstance(answer, int):
            return answer
        if len(answer) > call.reply_room:
            raise Refused("the reply does not fit into its room")
        return bytearray(answer)  # the engine makes a typed array of nothing else
