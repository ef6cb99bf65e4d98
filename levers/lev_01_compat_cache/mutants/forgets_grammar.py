"""Plausible bug: the key names the content but not the grammar that parses it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import candidate


class Keys(candidate.Keys):
    """One key for all dialects."""

    def key(self, source: bytes, dialect: str) -> bytes:
        return super().key(source, "js")


class Subject(candidate.Subject):
    """The candidate with those keys."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        super().__init__(params, workdir)
        self._keys = Keys()
