"""PRF-04's subject: which builtins that a project uses are missing or different between two runtimes, by module.

The cache of facts and what they mean are LEV-01's. A module that was never seen is analysed by `loads.facts_of`; where
there is much to analyse, on all CPUs (`sharing`).
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import loads
import sharing

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gates.runtime import levers

lever = levers.load("lev_01_compat_cache", "candidate", "compat", "grammars", "project")

SOURCES = ("loads.py", "prefilter.py")
"""What turns a source into facts here, besides LEV-01's own."""

ALONE_BYTES = 200_000
"""Below this, analysing takes less time than helpers are worth: about 25 ms."""


class Subject:
    """Diffs the project in `workdir/project` with the cache in `workdir/cache`; see README.md for the answer."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._project = workdir / "project"
        self._cache = workdir / "cache" / "facts.sqlite3"
        self._keys = Keys()
        self._cpus = sharing.cpus()

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The diff of the project as it stands now; `settings` are LEV-01's, with two targets."""
        settings = operation["settings"]
        modules = list(lever.project.modules(bytes(self._project)))
        with Facts(self._cache, self._keys, settings) as cache:
            facts = cache.facts_of_all(modules, self._cpus)
        return diff(modules, facts, lever.compat.Join(settings))

    def close(self) -> None:
        """Nothing is held between operations."""


def diff(modules: Sequence[Any], facts: Sequence[Any], join: Any) -> dict[str, Any]:
    """`modules` holds `[name, flags, differences]` by path; a difference is a finding of LEV-01 that is not `ok`."""
    rows = []
    for module, (flags, uses) in zip(modules, facts, strict=True):
        findings = [join.finding(*use) for use in uses]
        rows.append([lever.project.display_name(module.path), flags, [one for one in findings if one[4] != "ok"]])
    return {"runtimes": join.targets, "files": len(rows), "modules": rows}


class Keys(lever.candidate.Keys):  # type: ignore[misc]  # a class of a module that is loaded by name
    """LEV-01's keys, which also name this folder's code: neither ever reads what the other one's code found."""

    def key(self, source: bytes, dialect: str) -> bytes:
        """32 bytes that name the facts of `source` under today's code."""
        if dialect not in self._shared:
            own = [hashlib.sha256(Path(__file__).with_name(name).read_bytes()).digest() for name in SOURCES]
            parts = [*lever.grammars.identity(dialect), *own]
            self._shared[dialect] = hashlib.sha256(lever.candidate.fields(parts))
        found: bytes = super().key(source, dialect)
        return found


class Facts(lever.candidate.FactCache):  # type: ignore[misc]  # a class of a module that is loaded by name
    """LEV-01's cache, asked for all modules of a project at once."""

    def facts_of_all(self, modules: Sequence[Any], cpus: int) -> list[Any]:
        """Facts of each module: from the cache, or worked out from the very bytes that were hashed."""
        keys = [None if one.data is None else self._keys.key(one.data, one.dialect) for one in modules]
        self._used.update(key for key in keys if key is not None)
        known = {key: self._stored(key) for key in self._used}
        new = {key: one for key, one in zip(keys, modules, strict=True) if key is not None and known[key] is None}
        self._fresh.update(analyse_all(new, cpus))
        known |= self._fresh
        return [[[one.flag], []] if key is None else known[key] for key, one in zip(keys, modules, strict=True)]


def analyse_all(modules: Mapping[bytes, Any], cpus: int) -> dict[bytes, Any]:
    """Facts by key. The longest modules come first, so that all CPUs end at about the same time."""
    waiting = sorted(modules.items(), key=lambda item: -len(item[1].data))
    size = sum(len(module.data) for module in modules.values())

    def analyse(index: int) -> Any:
        module = waiting[index][1]
        return loads.facts_of(module.data, module.dialect)

    found = sharing.share(len(waiting), analyse, cpus if size > ALONE_BYTES else 1)
    return {key: facts for (key, _), facts in zip(waiting, found, strict=True)}
