"""Plausible bug: runtimes are compared with the reference only, and all that differ from it are one group.

The risk: a three-way split, where no two runtimes agree, looks like one runtime against the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import candidate
from harness import Value

GROUPED = candidate.grouped


def grouped(lines: Sequence[bytes | None], values: Sequence[Value]) -> list[int]:
    """The reference's group, and all others."""
    return [min(group, 1) for group in GROUPED(lines, values)]


class Subject(candidate.Subject):
    """The candidate with those groups."""

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        with mock.patch.object(candidate, "grouped", grouped):
            return super().operate(operation)
