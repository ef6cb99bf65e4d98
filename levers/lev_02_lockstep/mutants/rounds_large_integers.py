"""Plausible bug: every line is read by the fast reader, which turns integers over 64 bits into floats.

The doctrine's risk: a missed serialization difference, made by the parser and not by the comparison.
"""

from collections.abc import Mapping
from typing import Any
from unittest import mock

import candidate
import orjson
import wire

PARSE = wire.parse


def parse(line: bytes) -> list[Any]:
    """By orjson where it takes the line, whatever that does to numbers."""
    try:
        value: list[Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return PARSE(line)
    return PARSE(line) if b"{" in line else value


class Subject(candidate.Subject):
    """The candidate with that reader."""

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        with mock.patch.object(wire, "parse", parse):
            return super().operate(operation)
