"""Plausible bug: every absolute path and every time is taken for volatile.

The doctrine's risk: what `path.resolve` or `Date` answer is then never compared.
"""

import re
from collections.abc import Mapping
from typing import Any
from unittest import mock

import candidate

CANONICAL_TEXT = candidate.canonical_text
PATH_OR_TIME = re.compile(r"/[\w./-]+|\d{4}-\d\d-\d\dT[\d:.]+Z")


def canonical_text(text: str) -> str:
    """The string without paths and times, whoever they belong to."""
    return PATH_OR_TIME.sub("<any>", CANONICAL_TEXT(text))


class Subject(candidate.Subject):
    """The candidate with those patterns."""

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        with mock.patch.object(candidate, "canonical_text", canonical_text):
            return super().operate(operation)
