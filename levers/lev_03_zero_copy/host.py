"""The host: what a guest may call, and the header by which it does.

A message is a header of 24 bytes and a payload. A host function gets the copied header and a read-only view of
the payload, which is its own for the time of the call and not longer: what it wants to keep, it copies. A
payload may change while the guest's code runs, so a function that calls the guest back reads first.
"""

import hashlib
import random
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import misbehaving

HEADER = struct.Struct("<QIIII")
HEADER_BYTES = HEADER.size
REPLY_AT = 16
"""Where in a header the place of the reply stands."""

ALIGNMENT = 8
MEMORY_BYTES = 4 << 20
TABLE_BYTES = 2 << 20
LOG_BYTES = 64 << 10
LANES = 8
DEPTH = 8
"""How many calls may be open within each other; each costs stack of two languages."""

OUTSIDE = "offset and length do not name a message in guest memory"

MASK = 0xFFFFFFFF


class Call(NamedTuple):
    """The header, copied out of the guest's memory once; nothing reads it there again."""

    grant: int
    number: int
    size: int
    reply_at: int
    reply_room: int


call_of = partial(tuple.__new__, Call)
"""A Call from the five numbers that `HEADER` gives; `Call._make` does the same and takes twice as long."""


class Refused(Exception):  # noqa: N818 (a result like any other: the guest is told, nothing failed)
    """The host does not do what the guest asked for; the text goes to the guest."""


Answer = int | bytes | memoryview
Function = Callable[[Call, memoryview], Answer]


def refusal(error: Exception) -> str:
    """What the guest is told of an exception. Texts of foreign errors carry paths and stacks, so they stay here."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, BufferError):
        return "a host function kept a part of the payload"
    return f"a host function failed: {type(error).__name__}"


class Host:
    """Host functions with their state. `notified` is set by the runtime: the guest's callback."""

    def __init__(self) -> None:
        functions: list[Function] = [self.route, self.crc32, self.log, self.read, self.notify]
        functions += misbehaving.functions()
        self._granted = {_grant(function.__name__): function for function in functions}
        self.notified: Callable[[int], Any] | None = None
        self._table = memoryview(_table())
        self._log = bytearray(LOG_BYTES)
        self._logged = 0
        self._lanes = [0] * LANES
        self._last = self._digest = self._depth = 0

    def grants(self) -> dict[str, str]:
        """The grant of each host function by name, 16 hex digits: what the guest is given when it starts."""
        return {function.__name__: f"{grant:016x}" for grant, function in self._granted.items()}

    def admit(self, call: Call, length: int) -> Function:
        """The function that the header names, if the header of this message of `length` bytes is right.

        Raises:
            Refused: it is not.
        """
        grant, number, size, reply_at, reply_room = call
        function = self._granted.get(grant)
        if function is None:
            raise Refused("no host function was granted under this number")
        if size != length - HEADER_BYTES:
            raise Refused("the header's size is not the message's")
        if reply_at + reply_room > MEMORY_BYTES:
            raise Refused("the reply would lie outside of guest memory")
        if number <= self._last:
            raise Refused("the call's number was used before")
        self._last = number
        return function

    def route(self, call: Call, payload: memoryview) -> int:
        """A message goes to a lane by its first byte; three bytes of it go into the digest."""
        first = payload[0]
        lane = first % LANES
        self._lanes[lane] += 1
        sample = payload[(call.number * 40503 & MASK) % len(payload)]
        self._digest = (self._digest * 33 + (first << 16) + (payload[-1] << 8) + sample) & MASK
        return lane

    def crc32(self, call: Call, payload: memoryview) -> int:
        """Host work over each byte of the payload."""
        return zlib.crc32(payload)

    def log(self, call: Call, payload: memoryview) -> int:
        """Append to a log that keeps the last `LOG_BYTES`; a log outlives the call, so it copies."""
        size = len(payload)
        if size > LOG_BYTES:
            raise Refused("longer than the log")
        at = self._logged % LOG_BYTES
        part = min(size, LOG_BYTES - at)
        self._log[at : at + part] = payload[:part]
        self._log[: size - part] = payload[part:]
        self._logged += size
        return self._logged

    def read(self, call: Call, payload: memoryview) -> memoryview:
        """Bytes of the host's table; the payload is where they start and how many there are, two u32."""
        start, size = struct.unpack("<II", payload)
        if start + size > TABLE_BYTES:
            raise Refused("outside of the table")
        return self._table[start : start + size]

    def notify(self, call: Call, payload: memoryview) -> bytes:
        """Calls the guest back in mid-call; the reply is the payload's checksum from before that."""
        if self._depth == DEPTH or self.notified is None:
            raise Refused("too many calls within each other")
        receipt = zlib.crc32(payload)
        self._depth += 1
        try:
            self.notified(call.number)
        finally:
            self._depth -= 1
        self._digest = (self._digest * 33 + call.number + call.size + receipt) & MASK
        return receipt.to_bytes(4, "little")

    def report(self) -> dict[str, Any]:
        """All that the host has seen so far, for the oracle."""
        log = zlib.crc32(memoryview(self._log)[: self._logged])
        return {"last": self._last, "lanes": list(self._lanes), "digest": self._digest, "log": [self._logged, log]}


def _grant(name: str) -> int:
    """A number that cannot be guessed: it names the function and proves the right to call it.

    A host that serves strangers draws the key when it starts. Here it is fixed, since grants stand in the guest's
    memory, and two runs have to give the same.
    """
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=b"host of LEV-03").digest())


def _table() -> bytes:
    """The bytes 0 to 255 in order, then bytes without a period."""
    return bytes(range(256)) + random.Random(3).randbytes(TABLE_BYTES - 256)
