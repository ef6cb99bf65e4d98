"""Plausible bug: entries of objects are compared as if they had no order, as most structural diffs do.

The doctrine's risk: a missed serialization difference; programs iterate over keys.
"""

import json
from collections.abc import Mapping
from typing import Any
from unittest import mock

import candidate

SAME = candidate.same


def same(one: Any, other: Any) -> bool:
    """The entries of two objects are sorted first."""
    return SAME(_ordered(one), _ordered(other))


def _ordered(value: Any) -> Any:
    if type(value) is list and value[:1] == ["object"]:
        return [*value[:2], *sorted(value[2:], key=json.dumps)]
    return value


class Subject(candidate.Subject):
    """The candidate with that comparison."""

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        with mock.patch.object(candidate, "same", same):
            return super().operate(operation)
