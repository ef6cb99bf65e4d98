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
        """None if all lines are there and their canonical forms have the same hash."""
        values = [value_of(line) for line in lines]
        hashes = [digest(line, value) for line, value in zip(lines, values, strict=True)]
        if hashes[0] is not None and hashes.count(hashes[0]) == len(hashes):
            return None
        order = list(dict.fromkeys(found for found in hashes if found is not None))
        groups = [-1 if found is None else order.index(found) for found in hashes]
        return judgement(values, groups, first_difference)

    def close(self) -> None:
        """Nothing is held between operations."""


Digest = tuple[bytes, bytes]


def value_of(line: bytes | None) -> Value:
    """The line's canonical form, if it is there and can be read."""
    if line is None:
        return None
    try:
        form: list[Any] = canonical_value(wire.parse(line))
    except wire.UnreadableError as reason:
        return reason
    return form


def digest(line: bytes | None, value: Value) -> Digest | None:
    """What stands for the canonical form of a line: `v` and a hash; `u` and a hash of an unreadable one's bytes."""
    if line is None:
        return None
    if isinstance(value, wire.UnreadableError):
        return b"u", hashlib.sha256(line).digest()
    return b"v", hashlib.sha256(dumped(value)).digest()


def canonical_value(value: Any) -> Any:
    """The value with every string made canonical."""
    kind = type(value)
    if kind is str:
        return canonical_text(value)
    if kind is list:
        return list(map(canonical_value, value))
    return value


def dumped(value: Any) -> bytes:
    """A text that is equal only for equal values: numbers keep their kind, zero its sign."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, an integer over 64 bits
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def first_difference(expected: Any, value: Any) -> Difference:
    """The first place where canonical forms differ, and what stands there in both."""
    at: list[int] = []
    while type(expected) is list and type(value) is list:
        pairs = enumerate(zip(expected, value, strict=False))
        at.append(next((index for index, (a, b) in pairs if dumped(a) != dumped(b)), min(len(expected), len(value))))
        expected, value = item(expected, at[-1]), item(value, at[-1])
    return described(at, expected, value)
