"""Plausible bug: an error of the database is an error of the check."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import candidate


class Cache(candidate.FactCache):
    """Nothing is survived."""

    def _surviving(self) -> AbstractContextManager[None]:
        return nullcontext()


class Subject(candidate.Subject):
    """The candidate with that cache."""

    def _open(self, settings: Mapping[str, Any]) -> Cache:
        return Cache(self._cache, self._keys, settings)
