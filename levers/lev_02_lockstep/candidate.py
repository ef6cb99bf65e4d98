"""The comparison by structure: bytes first, then a typed walk that canonicalizes only strings that differ.

The canonical form of a line is a function of its bytes, so lines of the same bytes need no form at all. Of others,
both values are walked side by side up to the first difference.
"""

from collections.abc import Mapping, Sequence
from math import copysign
from pathlib import Path
from typing import Any

import operations
import wire
from harness import ABSENT, Difference, Finding, Judgement, compare, described
from volatile import canonical_text

SAME, MISSING, EXTRA = Finding("same"), Finding("missing"), Finding("extra")


class Subject:
    """Compares the runtimes that an operation names."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._workdir = workdir

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The report of one comparison."""
        return compare(operations.open_streams(operation, self._workdir), self, operation["fixtures"])

    def judge(self, lines: Sequence[bytes | None]) -> Judgement | None:
        """None if all lines are there and canonically the same; for lines of the same bytes that is all to ask."""
        reference = lines[0]
        if reference is not None and lines.count(reference) == len(lines):
            return None
        return examined(lines)

    def close(self) -> None:
        """Nothing is held between operations."""


def same(one: Any, other: Any) -> bool:
    """Whether two values have the same canonical form. `1`, `1.0` and `true` have not; nor have `0.0` and `-0.0`."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is list:
        return len(one) == len(other) and all(map(same, one, other))
    if kind is str:
        return one == other or canonical_text(one) == canonical_text(other)
    if kind is float:
        return one == other and copysign(1, one) == copysign(1, other)
    return bool(one == other)


def first_difference(one: Any, other: Any) -> Difference:
    """Where the walk first finds another value, and both values there; the two must not be the same."""
    at: list[int] = []
    while type(one) is list and type(other) is list:
        place = next(
            index for index in range(max(len(one), len(other))) if not same(item(one, index), item(other, index))
        )
        at.append(place)
        one, other = item(one, place), item(other, place)
    return described(at, canonical(one), canonical(other))


def item(values: list[Any], place: int) -> Any:
    """What stands there, or ABSENT behind the last one."""
    return values[place] if place < len(values) else ABSENT


def canonical(value: Any) -> Any:
    """The value as a report shows it."""
    if type(value) is str:
        return canonical_text(value)
    return list(map(canonical, value)) if type(value) is list else value


class Reading:
    """A line of a row whose bytes are not all the same: its value, or why it has none."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.value: Any = None
        self.reason = ""
        try:
            self.value = wire.parse(line)
        except wire.UnreadableError as reason:
            self.reason = str(reason)

    def is_same_as(self, other: "Reading") -> bool:
        """By bytes, or by structure where both can be read."""
        return self.line == other.line or (not self.reason and not other.reason and same(self.value, other.value))


def examined(lines: Sequence[bytes | None]) -> Judgement | None:
    """What there is to say about a row whose bytes are not all the same; None if only volatile text differs."""
    readings = [None if line is None else Reading(line) for line in lines]
    groups = grouped(readings)
    if not any(groups):
        return None
    return Judgement([finding(readings, groups, at) for at in range(len(readings))], groups)


def grouped(readings: Sequence[Reading | None]) -> list[int]:
    """A number for each reading: that of the first one that is the same; -1 where there is none."""
    known: list[Reading] = []
    numbers = []
    for reading in readings:
        if reading is None:
            numbers.append(-1)
            continue
        number = next((at for at, each in enumerate(known) if reading.is_same_as(each)), len(known))
        if number == len(known):
            known.append(reading)
        numbers.append(number)
    return numbers


def finding(readings: Sequence[Reading | None], groups: Sequence[int], at: int) -> Finding:
    """How the runtime `at` stands to the reference."""
    reference, reading = readings[0], readings[at]
    if reading is None:
        return MISSING
    if reading.reason:
        return Finding("unreadable", Difference([], "", reading.reason))
    if reference is None:
        return EXTRA
    if groups[at] == groups[0]:
        return SAME
    return Finding("value", None if reference.reason else first_difference(reference.value, reading.value))
