"""Plausible bug: a row of a sound database is believed as it stands."""

import json
from collections.abc import Mapping
from typing import Any

import candidate
from project import Facts


class Cache(candidate.FactCache):
    """Rows without their seals."""

    def _stored(self, key: bytes) -> Facts | None:
        if self._database is None:
            return None
        row = None
        with self._surviving():
            row = self._database.execute("SELECT facts FROM facts WHERE key = ?", (key,)).fetchone()
        facts: Facts | None = None if row is None else json.loads(row[0])
        return facts


class Subject(candidate.Subject):
    """The candidate with that cache."""

    def _open(self, settings: Mapping[str, Any]) -> Cache:
        return Cache(self._cache, self._keys, settings)
