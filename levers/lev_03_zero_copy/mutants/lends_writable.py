"""Plausible bug: one view serves for reading and for replies, so a host function can write into a message."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import candidate


class Subject(candidate.Subject):
    """The candidate with payloads that can be written to."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        super().__init__(params, workdir)
        self._readable = self._writable
