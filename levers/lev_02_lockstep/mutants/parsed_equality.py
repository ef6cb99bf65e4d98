"""Plausible bug: parsed values are compared with `==`. Python has 1 == 1.0 == True and 0.0 == -0.0.

The doctrine's risk: the structural diff misses a subtle serialization difference.
"""

from collections.abc import Mapping
from typing import Any
from unittest import mock

import candidate


def same(one: Any, other: Any) -> bool:
    """Equality as the language has it."""
    if one == other:
        return True
    return SAME(one, other)


SAME = candidate.same


class Subject(candidate.Subject):
    """The candidate with an early way out."""

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        with mock.patch.object(candidate, "same", same):
            return super().operate(operation)
