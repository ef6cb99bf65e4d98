"""The bridge that lends: one memory for both sides, and calls that name a place in it.

The host owns the guest's memory; the engine only has a view of it. So nothing that the guest does (detach,
transfer, drop, collect) frees what the host looks at, and the host never looks at what the engine owns. Numbers
that the guest gives are believed only after they were checked here. The header is copied before it is checked
and never read again. The payload is lent to the host function, read-only and for the time of the call.
"""

import traceback
from collections.abc import Mapping
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

from host import (
    ALIGNMENT,
    HEADER,
    HEADER_BYTES,
    MEMORY_BYTES,
    OUTSIDE,
    Answer,
    Call,
    Function,
    Host,
    Refused,
    call_of,
    refusal,
)
from runtime import Runtime

# Numbers only: pythonmonkey fails on a symbol and then, once more, on the call after it.
CONNECT = f"""(receive) => (offset, length) => {{
  if (typeof offset !== "number" || typeof length !== "number") throw new Error({OUTSIDE!r});
  return receive(offset, length);
}}"""


class Subject:
    """A guest on the bridge that lends."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        memory = bytearray(MEMORY_BYTES)
        self._writable = memoryview(memory)
        self._readable = self._writable.toreadonly()
        self._host = Host()
        self._runtime = Runtime(self._host, CONNECT, self._receive, memory)

    def operate(self, operation: dict[str, Any]) -> dict[str, Any]:
        """What the guest got back and what the host has seen."""
        return {"guest": self._runtime.run(operation), "host": self._host.report()}

    def close(self) -> None:
        """Ends the guest."""
        self._runtime.close()

    def _receive(self, offset: float, length: float) -> int | str:
        try:
            return self._answer(*place(offset, length))
        except Exception as error:  # noqa: BLE001 (whatever a host function raises ends here, as a text for the guest)
            return refusal(error)

    def _answer(self, start: int, stop: int) -> int:
        call = call_of(HEADER.unpack_from(self._readable, start))
        function = self._host.admit(call, stop - start)
        answer = self._lend(function, call, start + HEADER_BYTES, stop)
        return answer if isinstance(answer, int) else self._deliver(call, answer)

    def _lend(self, function: Function, call: Call, start: int, stop: int) -> Answer:
        """Lend a payload for one call. Afterwards each use of it is a ValueError.

        A view that was cut from the payload would outlive its release. `PickleBuffer` is in between because a view
        of it counts as an export of `part`, as do all views that are cut from it: `part` cannot be released before
        they are. So a host function that keeps one is found at once, with a BufferError, also if it fails.
        """
        part = self._readable[start:stop]
        payload = memoryview(PickleBuffer(part))
        try:
            return function(call, payload)
        except BaseException as error:
            # What a function that failed had cut off for itself alone is still in its frames.
            traceback.clear_frames(error.__traceback__)
            raise
        finally:
            payload.release()
            part.release()

    def _deliver(self, call: Call, reply: bytes | memoryview) -> int:
        size = len(reply)
        if size > call.reply_room:
            raise Refused("the reply does not fit into its room")
        self._writable[call.reply_at : call.reply_at + size] = reply
        return size


def place(offset: float, length: float) -> tuple[int, int]:
    """Where a message starts and ends in guest memory. The engine gives every number as a float.

    Raises:
        Refused: no message can be there: not whole numbers, unaligned, outside of memory, too short.
    """
    # A remainder is also what fractions, NaN (which is true) and infinities leave.
    if offset % ALIGNMENT or length % 1 or length < HEADER_BYTES or not 0 <= offset <= MEMORY_BYTES - length:
        raise Refused(OUTSIDE)
    return int(offset), int(offset + length)
