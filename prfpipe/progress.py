"""What long work says while it runs: what it is doing, how far it is, how long it will take."""

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told by every stage; never slows a measurement down: it is called between invocations only."""

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """`text` says what is being done; `done` is a share from 0 to 1; `remaining` is in seconds."""

    def finish(self) -> None:
        """Make room for something else: the next text starts on a line of its own."""


class Silent:
    """Says nothing."""

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """See `Progress.say`."""

    def finish(self) -> None:
        """See `Progress.finish`."""


class Lines:
    """Hands over a line at most once in `every` seconds, and one for each new stage (what stands before `:`)."""

    def __init__(self, write: Callable[[str], object], *, every: float = 5.0) -> None:
        self._write, self._every = write, every
        self._stage, self._time = "", float("-inf")

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """See `Progress.say`."""
        stage, now = text.partition(":")[0], time.monotonic()
        if stage != self._stage or now - self._time >= self._every:
            self._stage, self._time = stage, now
            self._write(_line(text, done, remaining))

    def finish(self) -> None:
        """See `Progress.finish`."""


class Terminal:
    """One line that is written over on a terminal; elsewhere `Lines`."""

    def __init__(self, stream: TextIO | None = None, *, every: float = 5.0) -> None:
        self._stream = stream or sys.stderr
        self._lines = Lines(lambda line: self._stream.write(f"{line}\n"), every=every)
        self._open = False

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """See `Progress.say`."""
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{_line(text, done, remaining)}")
            self._open = True
        else:
            self._lines.say(text, done=done, remaining=remaining)
        self._stream.flush()

    def finish(self) -> None:
        """See `Progress.finish`."""
        if self._open:
            self._stream.write("\n")
            self._open = False


def _line(text: str, done: float | None, remaining: float | None) -> str:
    share = "" if done is None else f"  {min(done, 1.0):4.0%}"
    rest = "" if remaining is None else f"  about {max(remaining, 0.0):.0f} s left"
    return text + share + rest
