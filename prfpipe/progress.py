"""What long work says while it runs: what it is doing, how far it is, how long it will take."""

import sys
import time
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told by every stage; never slows a measurement down: it is called between invocations only."""

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """`text` says what is being done; `done` is a share from 0 to 1; `remaining` is in seconds."""


class Silent:
    """Says nothing."""

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """See `Progress.say`."""


class Terminal:
    """One line that is written over on a terminal; a line each, at most one a `every` seconds, elsewhere."""

    def __init__(self, stream: TextIO | None = None, *, every: float = 5.0) -> None:
        self._stream = stream or sys.stderr
        self._every = every
        self._last_text, self._last_time = "", float("-inf")

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """See `Progress.say`."""
        line = text + _suffix(done, remaining)
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{line}")
            self._stream.flush()
        elif text != self._last_text or time.monotonic() - self._last_time >= self._every:
            self._stream.write(line + "\n")
            self._stream.flush()
            self._last_time = time.monotonic()
        self._last_text = text

    def finish(self) -> None:
        """End the line, so that what follows starts on its own."""
        if self._stream.isatty() and self._last_text:
            self._stream.write("\n")


def _suffix(done: float | None, remaining: float | None) -> str:
    share = "" if done is None else f"  {min(done, 1.0):4.0%}"
    rest = "" if remaining is None else f"  about {max(remaining, 0.0):.0f} s left"
    return share + rest
