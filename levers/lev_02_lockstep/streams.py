"""What a runtime printed, from a file or from a live process, as lines in order and an account of the rest.

At most WINDOW lines that came too early are held, whatever the number of fixtures.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, Protocol

import wire

WINDOW = 64
"""Lines that are held while one that should have come before them may still come."""
SHOWN = 50
"""What an account names of each kind; all are counted."""

Line = tuple[int, bytes]
"""Ordinal, and the bytes with their line feed."""
Early = tuple[int, int, bool, bytes]
"""Ordinal, number of arrival, whether it came after a later one, bytes."""


class Source(Protocol):
    """What lines come from; a line that reaches the limit comes in pieces, an empty one is the end."""

    def readline(self, limit: int, /) -> bytes: ...

    def close(self) -> None: ...


class Stream(ABC):
    """One runtime's lines and, when they have been read to the end, its account.

    `status` is `complete`, or why it is not: `not-there`, `no-header`, `other-corpus`, `truncated`,
    `trailing-output`, `crashed:CODE`, `timed-out`.
    """

    def __init__(self, name: str) -> None:
        self.name, self.status = name, "truncated"
        self.corpus: list[Any] = []
        self._runtime = ""
        self._answered, self._unreadable, self._next = 0, 0, 0
        self._kinds: dict[str, list[int]] = {"reordered": [], "repeated": [], "beyond": []}
        self._counts = dict.fromkeys(self._kinds, 0)
        self._gaps: list[list[int]] = []
        self._file: Source | None = None

    def start(self) -> None:
        """Read the header: afterwards `corpus` is known, or `status` says why not."""
        self._file = self._source()
        if self._file is None:
            self.status = "not-there"
            return
        head = wire.control(self._file.readline(wire.LONGEST), "#begin", 5)
        if head is None:
            self.status = "no-header"
            self._ended()
        else:
            self._runtime, self.corpus = f"{head[1]} {head[2]}", head[3:]

    @abstractmethod
    def _source(self) -> Source | None:
        """What the lines come from; None where there is nothing."""

    def lines(self) -> Iterator[Line]:
        """Lines by ascending ordinal, each ordinal once; the account is settled behind the last one."""
        if not self.corpus or self.status != "truncated" or self._file is None:
            return
        early: list[Early] = []
        latest = -1
        for ordinal, line in self._framed(self._file):
            if ordinal == self._next and not early:
                latest = ordinal
                self._next += 1
                self._answered += 1
                yield ordinal, line
                continue
            heappush(early, (ordinal, self._answered + len(early), ordinal <= latest, line))
            latest = max(latest, ordinal)
            while early and (early[0][0] <= self._next or len(early) > WINDOW):
                yield from self._take(*heappop(early))
        while early:
            yield from self._take(*heappop(early))

    def _take(self, ordinal: int, _arrival: int, late: bool, line: bytes) -> Iterator[Line]:
        if ordinal < self._next:
            self._note("repeated", ordinal)
            return
        if late:
            self._note("reordered", ordinal)
        if ordinal > self._next:
            self._gap(self._next, ordinal)
        self._next = ordinal + 1
        self._answered += 1
        yield ordinal, line

    def _framed(self, file: Source) -> Iterator[Line]:
        ordinal_of, limit, fixtures = wire.ordinal_of, wire.LONGEST, self.corpus[0]
        while line := file.readline(limit):
            ordinal = ordinal_of(line)
            if ordinal is not None:
                if ordinal < fixtures:
                    yield ordinal, line
                else:
                    self._note("beyond", ordinal)
            elif wire.control(line, "#end", 2) is not None:
                self.status = "trailing-output" if file.readline(limit) else "complete"
                break
            else:
                self._unreadable += 1
        self._ended()

    def _ended(self) -> None:  # noqa: B027 - most need nothing
        """The last line has been read; a live stream knows more than its bytes."""

    def _note(self, kind: str, ordinal: int) -> None:
        self._counts[kind] += 1
        if len(self._kinds[kind]) < SHOWN:
            self._kinds[kind].append(ordinal)

    def _gap(self, start: int, end: int) -> None:
        if len(self._gaps) < SHOWN:
            self._gaps.append([start, end])

    def account(self, fixtures: int) -> dict[str, Any]:
        """What is to be said of a runtime whose lines have been read; `gaps` holds ranges `[from, to)`."""
        self._gap(self._next, max(self._next, fixtures))
        gaps = [[start, min(end, fixtures)] for start, end in self._gaps]
        return {
            "name": self.name,
            "runtime": self._runtime,
            "status": self.status,
            "answered": self._answered,
            "unreadable": self._unreadable,
            "gaps": [gap for gap in gaps if gap[0] < gap[1]],
            **{kind: {"count": self._counts[kind], "first": self._kinds[kind]} for kind in self._kinds},
        }

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class Recorded(Stream):
    """The lines of a file, such as record.py writes."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name)
        self._path = path

    def _source(self) -> Source | None:
        return self._path.open("rb") if self._path.is_file() else None
