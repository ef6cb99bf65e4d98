"""Host functions that break the rules for payloads, so that the proof can show what becomes of them."""

from collections.abc import Callable
from typing import Any


def functions() -> list[Callable[[Any, memoryview], int]]:
    """Each list has a memory of its own."""
    kept: list[memoryview] = []

    def keep(call: Any, payload: memoryview) -> int:
        """Holds on to the payload beyond the call."""
        kept[:] = [payload]
        return payload[0]

    def recall(call: Any, payload: memoryview) -> int:
        """Uses what `keep` or `fail` held on to."""
        return kept[0][0]

    def scribble(call: Any, payload: memoryview) -> int:
        """Writes into the guest's message."""
        payload[0] = payload[0] ^ 255
        return payload[0]

    def fail(call: Any, payload: memoryview) -> int:
        """Ends in an exception while it holds the payload and a part of it."""
        kept[:] = [payload]
        part = payload[1:2]
        raise KeyError(part[0])

    def hoard(call: Any, payload: memoryview) -> int:
        """Holds on to a part of the payload."""
        kept[:] = [payload[1:2]]
        return payload[0]

    return [keep, recall, scribble, fail, hoard]
