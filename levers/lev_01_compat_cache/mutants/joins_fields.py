"""Plausible bug: the fields of the key stand one behind the other without their lengths."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import candidate
from grammars import identity


class Keys(candidate.Keys):
    """Version, digests, dialect and source run together."""

    def key(self, source: bytes, dialect: str) -> bytes:
        version, name, *others = identity(dialect)
        return hashlib.sha256(b"".join([version, *others, name, source])).digest()


class Subject(candidate.Subject):
    """The candidate with those keys."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        super().__init__(params, workdir)
        self._keys = Keys()
