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
from harness import Difference, Judgement, Value, compare, described, item, judgement
from volatile import canonical_text


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


def canonical(value: Any) -> Any:
    """The value as a report shows it."""
    if type(value) is str:
        return canonical_text(value)
    return list(map(canonical, value)) if type(value) is list else value


def value_of(line: bytes | None) -> Value:
    """The line, read if it is there and can be."""
    if line is None:
        return None
    try:
        return wire.parse(line)
    except wire.UnreadableError as reason:
        return reason


def examined(lines: Sequence[bytes | None]) -> Judgement | None:
    """What there is to say about a row whose bytes are not all the same; None if only volatile text differs."""
    values = [value_of(line) for line in lines]
    groups = grouped(lines, values)
    if not any(groups):
        return None
    return judgement(values, groups, first_difference)


def grouped(lines: Sequence[bytes | None], values: Sequence[Value]) -> list[int]:
    """A number for each line: that of the first one that is the same, by bytes or by structure; -1 for none.

    An unreadable line is the same as its own bytes only.
    """
    groups: list[int] = []
    known: list[int] = []
    for at, line in enumerate(lines):
        group = -1 if line is None else len(known)
        for number, first in enumerate(known):
            if line is not None and (line == lines[first] or same(values[first], values[at])):
                group = number
                break
        if group == len(known):
            known.append(at)
        groups.append(group)
    return groups
