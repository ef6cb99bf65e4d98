"""The comparison by full serialization: each line is parsed, canonicalized, dumped, hashed; hashes are compared.

As a careful engineer ships it: orjson reads and writes, the standard library only what orjson refuses; equal strings
are told apart from volatile ones by cheap tests before any pattern; differences are looked for only where hashes
differ.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import operations
import orjson
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
        """None if all lines are there and their canonical forms have the same hash."""
        hashes = [digest(line) for line in lines]
        if hashes[0] is not None and hashes.count(hashes[0]) == len(hashes):
            return None
        order = list(dict.fromkeys(found for found in hashes if found is not None))
        groups = [-1 if found is None else order.index(found) for found in hashes]
        return Judgement([finding(lines, groups, at) for at in range(len(lines))], groups)

    def close(self) -> None:
        """Nothing is held between operations."""


Digest = tuple[bytes, bytes]


def digest(line: bytes | None) -> Digest | None:
    """What stands for the canonical form of a line: `v` and a hash; `u` and a hash of an unreadable one's bytes."""
    if line is None:
        return None
    try:
        text = dumped(canonical_value(wire.parse(line)))
    except wire.UnreadableError:
        return b"u", hashlib.sha256(line).digest()
    return b"v", hashlib.sha256(text).digest()


def canonical_value(value: Any) -> Any:
    """The value with every string made canonical."""
    kind = type(value)
    if kind is str:
        return canonical_text(value)
    if kind is list:
        return [canonical_value(item) for item in value]
    return value


def dumped(value: Any) -> bytes:
    """A text that is equal only for equal values: numbers keep their kind, zero its sign."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, an integer over 64 bits
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def finding(lines: Sequence[bytes | None], groups: Sequence[int], at: int) -> Finding:
    """How the runtime `at` stands to the reference."""
    reference, line = lines[0], lines[at]
    if line is None:
        return MISSING
    try:
        value = canonical_value(wire.parse(line))
    except wire.UnreadableError as reason:
        return Finding("unreadable", Difference([], "", str(reason)))
    if reference is None:
        return EXTRA
    if groups[at] == groups[0]:
        return SAME
    return Finding("value", difference(reference, value))


def difference(reference: bytes, value: Any) -> Difference | None:
    """The first place where canonical forms differ; None where the reference cannot be read."""
    try:
        expected = canonical_value(wire.parse(reference))
    except wire.UnreadableError:
        return None
    at: list[int] = []
    while type(expected) is list and type(value) is list:
        pairs = enumerate(zip(expected, value, strict=False))
        at.append(next((index for index, (a, b) in pairs if dumped(a) != dumped(b)), min(len(expected), len(value))))
        expected, value = item(expected, at[-1]), item(value, at[-1])
    return described(at, expected, value)


def item(values: list[Any], place: int) -> Any:
    """What stands there, or ABSENT behind the last one."""
    return values[place] if place < len(values) else ABSENT
