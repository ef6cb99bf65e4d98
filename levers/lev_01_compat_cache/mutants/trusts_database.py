"""Plausible bug: an error of the database is an error of the check."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import candidate


class Cache(candidate.FactCache):
    """Nothing is survived."""

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError):
            self._disconnect()
            raise


class Subject(candidate.Subject):
    """The candidate with that cache."""

    def _open(self, settings: Mapping[str, Any]) -> Cache:
        return Cache(self._cache, self._keys, settings)
