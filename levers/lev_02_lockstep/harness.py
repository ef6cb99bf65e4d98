"""Several runtimes in lockstep: one row of lines per fixture, and a report of what is not the same in all.

What a row means is decided by a judge, in which the two variants of this lever differ. Memory is bounded: a row, the
windows of the streams, and at most ROWS rows of the report are held.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import wire
from bands import BANDS, band_of
from streams import Stream

ROWS = 2000
EXCERPT = 60
OVER = (sys.maxsize, b"")
"""The line of a stream that has no more lines."""
ABSENT = object()
"""What stands behind the last item of a list: not `null`, which is a value."""
KINDS = ("value", "unreadable", "missing", "extra")


class Difference(NamedTuple):
    """The first place where two lines differ: indices from the line inwards, and what stands there."""

    at: list[int]
    reference: str
    found: str


class Finding(NamedTuple):
    """How one runtime stands to the reference in a row: a kind of KINDS or `same`."""

    kind: str
    difference: Difference | None = None


class Judgement(NamedTuple):
    """A row that is not agreed: one finding a runtime (the reference's first), and a group number each.

    Lines of one group have the same canonical form. `-1` is the group of those that gave no line.
    """

    findings: list[Finding]
    groups: list[int]


Value = list[Any] | wire.UnreadableError | None
"""What a line holds, why it cannot be read, or None where there is no line."""
SAME, MISSING, EXTRA = Finding("same"), Finding("missing"), Finding("extra")


class Judge(Protocol):
    """What the variants differ in."""

    def judge(self, lines: Sequence[bytes | None]) -> Judgement | None:
        """None if every line is there, readable and canonically the same as the first."""


def compare(streams: Sequence[Stream], judge: Judge, fixtures: int) -> dict[str, Any]:
    """The report on the streams, of which the first is the reference; `fixtures` are expected of each."""
    report = _Report([stream.name for stream in streams])
    try:
        for stream in streams:
            stream.start()
        _refuse_other_corpora(streams, fixtures)
        for ordinal, lines in rows(streams):
            judgement = judge.judge(lines)
            if judgement is None:
                report.agreed += 1
            else:
                report.add(ordinal, lines, judgement)
    finally:
        for stream in streams:
            stream.close()
    return report.finished(streams, fixtures)


def _refuse_other_corpora(streams: Sequence[Stream], fixtures: int) -> None:
    """Runtimes that answered other questions are not compared; the first header says what was asked."""
    asked = next((stream.corpus for stream in streams if stream.corpus), None)
    for stream in streams:
        if stream.corpus and (stream.corpus != asked or stream.corpus[0] != fixtures):
            stream.status = "other-corpus"


def rows(streams: Sequence[Stream]) -> Iterator[tuple[int, list[bytes | None]]]:
    """Each ordinal that any stream has, ascending, with its line in each stream or None."""
    sources = [stream.lines() for stream in streams]
    heads = [next(source, OVER) for source in sources]
    while (ordinal := min(ordinals := [head[0] for head in heads])) != OVER[0]:
        if ordinals.count(ordinal) == len(heads):  # nearly always: every runtime has answered
            yield ordinal, [head[1] for head in heads]
            heads = [next(source, OVER) for source in sources]
            continue
        yield ordinal, [head[1] if head[0] == ordinal else None for head in heads]
        pairs = zip(heads, sources, strict=True)
        heads = [next(source, OVER) if head[0] == ordinal else head for head, source in pairs]


def judgement(
    values: Sequence[Value], groups: list[int], first_difference: Callable[[Any, Any], Difference]
) -> Judgement:
    """How each runtime stands to the reference, the first of them, in a row that is not agreed."""
    return Judgement([_finding(values, groups, at, first_difference) for at in range(len(values))], groups)


def _finding(
    values: Sequence[Value], groups: Sequence[int], at: int, first_difference: Callable[[Any, Any], Difference]
) -> Finding:
    reference, value = values[0], values[at]
    if value is None:
        return MISSING
    if isinstance(value, wire.UnreadableError):
        return Finding("unreadable", Difference([], "", str(value)))
    if reference is None:
        return EXTRA
    if groups[at] == groups[0]:
        return SAME
    readable = not isinstance(reference, wire.UnreadableError)
    return Finding("value", first_difference(reference, value) if readable else None)


def item(values: list[Any], place: int) -> Any:
    """What stands there, or ABSENT behind the last one."""
    return values[place] if place < len(values) else ABSENT


def excerpt(value: object, around: int = 0) -> str:
    """A canonical value as ASCII JSON text; of a string, what stands around a place."""
    if value is ABSENT:
        return "absent"
    if type(value) is str:
        start = max(0, around - EXCERPT // 2)
        return ("…" if start else "") + json.dumps(value[start : start + EXCERPT])
    text = json.dumps(value)
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"


def described(at: list[int], reference: object, found: object) -> Difference:
    """Two canonical values that differ, at a place of a line."""
    around = _common(reference, found) if type(reference) is str and type(found) is str else 0
    return Difference(at, excerpt(reference, around), excerpt(found, around))


def _common(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


class _Report:
    """Counts everything and keeps the first ROWS rows."""

    def __init__(self, names: list[str]) -> None:
        self.agreed = 0
        self._names = names
        self._rows: list[Any] = []
        self._split = {"fixtures": 0, "three-way": 0}
        self._bands = {band: dict.fromkeys(KINDS, 0) for band in BANDS}

    def add(self, ordinal: int, lines: Sequence[bytes | None], judgement: Judgement) -> None:
        """One row that is not agreed; missing lines alone are counted, and named by the streams' accounts."""
        family = wire.family_of(next(line for line in lines if line is not None))
        band = band_of(family)
        told = {}
        for name, (kind, difference) in zip(self._names, judgement.findings, strict=True):
            if kind != "same":
                self._bands[band][kind] += 1
            if kind not in {"same", "missing"}:
                told[name] = [kind, *(difference or ())]
        self._split["fixtures"] += 1
        self._split["three-way"] += len({group for group in judgement.groups if group >= 0}) > 2
        if told and len(self._rows) < ROWS:
            self._rows.append([ordinal, family, band, judgement.groups, told])

    def finished(self, streams: Sequence[Stream], fixtures: int) -> dict[str, Any]:
        """The whole report; `unanswered` fixtures came from no runtime at all."""
        return {
            "fixtures": fixtures,
            "agreed": self.agreed,
            "disagreed": self._split["fixtures"],
            "three_way": self._split["three-way"],
            "complete": all(stream.status == "complete" for stream in streams),
            "bands": self._bands,
            "runtimes": [stream.account(fixtures) for stream in streams],
            "rows": self._rows,
        }
