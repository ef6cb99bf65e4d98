"""Plausible bug: what is remembered is the finding, joined with the tables and settings of its day."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import candidate
import compat
from compat import Join


class Subject(candidate.Subject):
    """The candidate with joins that outlive their settings."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        super().__init__(params, workdir)
        self._joined: dict[tuple[str, str], list[str]] = {}

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        with mock.patch.object(compat, "Join", self._join):
            return super().operate(operation)

    def _join(self, settings: Mapping[str, Any]) -> Join:
        join = Join(settings)
        join._known = self._joined
        return join
