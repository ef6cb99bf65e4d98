"""Ctrl-C and SIGTERM: work ends in good order, as after any other failure, and can go on later."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came; like Ctrl-C it passes every handler of failures, and what is open gets closed."""

    signal: ClassVar[int] = signal.SIGTERM


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Let SIGTERM end the block by `TerminatedError`; without this it would end the process where it stands."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError
