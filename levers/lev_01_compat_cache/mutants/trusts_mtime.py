"""Plausible bug: a file whose size and modification time are as before is taken to be unchanged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import candidate
from project import Facts, Module


class Cache(candidate.FactCache):
    """Remembers facts by path, size and time."""

    root: Path
    seen: dict[tuple[bytes, int, int], Facts]

    def facts_of(self, module: Module) -> Facts:
        stat = (self.root / module.path.decode(errors="surrogateescape")).stat()
        known = (module.path, stat.st_size, stat.st_mtime_ns)
        if known not in self.seen:
            self.seen[known] = super().facts_of(module)
        return self.seen[known]


class Subject(candidate.Subject):
    """The candidate with that cache."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        super().__init__(params, workdir)
        self._seen: dict[tuple[bytes, int, int], Facts] = {}

    def _open(self, settings: Mapping[str, Any]) -> Cache:
        cache = Cache(self._cache, self._keys, settings)
        cache.root, cache.seen = self._project, self._seen
        return cache
