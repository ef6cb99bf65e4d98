"""Plausible bug: two lists are walked by zip, so what only the longer one has is never seen.

The doctrine's risk: a missed serialization difference; nothing and null are taken for the same.
"""

from collections.abc import Mapping
from typing import Any
from unittest import mock

import candidate

SAME = candidate.same


def same(one: Any, other: Any) -> bool:
    """Item by item, as far as both go."""
    if type(one) is list and type(other) is list:
        return all(same(*pair) for pair in zip(one, other, strict=False))
    return SAME(one, other)


class Subject(candidate.Subject):
    """The candidate with that walk."""

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        with mock.patch.object(candidate, "same", same):
            return super().operate(operation)
