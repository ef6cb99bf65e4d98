"""Compatibility check of a project: LEV-01's analyser, report and cache of facts.

The project is `WORKDIR/project`; the manifest that its publisher has signed for it is `WORKDIR/project.manifest`.
A module's digest is made once and serves both: the cache's key is made from it, provenance compares it. With or
without instruments the key is the same.
"""

import hashlib
import os
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates.runtime import levers
from gates.runtime.errors import ForgedError, TamperedError
from gates.runtime.manifest import Manifest
from gates.runtime.policy import Uid

if TYPE_CHECKING:
    from gates.runtime.core import Runtime

PROJECT: Uid = ("Project", "project")


class HotPath:
    """Checks the project as it stands now."""

    def __init__(self, runtime: "Runtime", workdir: Path) -> None:
        self._guard = runtime.guard
        self._project, self._signed = workdir / "project", workdir / "project.manifest"
        self._cache = workdir / "cache" / "facts.sqlite3"
        names = ("candidate", "compat", "project")
        self._lever = levers.load("lev_01_compat_cache", *names, admit=self._guard.admit_code)
        self._keys = self._content_keys()

    def perform(self, operation: Mapping[str, Any], by: Uid) -> dict[str, Any]:
        """The report; see LEV-01's `workload.py` for the operation."""
        self._guard.require(by, "check", PROJECT)
        manifest, envelope = self._manifest()
        settings, keys, compared = operation["settings"], self._keys, set()
        with self._lever.candidate.FactCache(self._cache, keys, settings) as cache:

            def facts_of(module: Any) -> Any:
                keys.digest = hashlib.sha256(module.data).digest()
                if manifest is not None:
                    name = self._lever.project.display_name(module.path)
                    manifest.check(name, keys.digest)
                    compared.add(name)
                return cache.facts_of(module)

            report: dict[str, Any] = self._lever.compat.check(self._project, settings, facts_of)
        if manifest is not None:
            self._check_others(manifest, {row[0] for row in report["modules"]}, compared)
        self._record(by, envelope, report)
        return report

    def close(self) -> None:
        """Nothing is held between operations."""

    def _check_others(self, manifest: Manifest, names: Set[str], compared: Set[str]) -> None:
        """Modules that were not analysed, so not compared yet, are what was signed; none that was signed is missing."""
        project = self._lever.project
        for name in names - compared:
            path = self._project / os.fsdecode(project.path_of(name))
            if not path.is_file() or not os.access(path, os.R_OK):  # a pipe must not hold the check up
                raise TamperedError(f"{manifest.name}: {name} cannot be read, so it cannot be compared")
            manifest.check(name, hashlib.sha256(path.read_bytes()).digest())
        missing = [name for name in manifest.files.keys() - names if project.dialect_of(os.fsencode(name))]
        if missing:
            raise TamperedError(f"{manifest.name}: {', '.join(sorted(missing)[:3])} was signed and is not there")

    def _manifest(self) -> tuple[Manifest | None, bytes]:
        provenance = self._guard.provenance
        if provenance is None:
            return None, b""
        try:
            envelope = self._signed.read_bytes()
        except OSError as error:
            raise ForgedError(f"the project has no manifest: {error.strerror}") from error
        return provenance.manifest(envelope, self._project.name), envelope

    def _record(self, by: Uid, envelope: bytes, report: Mapping[str, Any]) -> None:
        if self._guard.audit is not None:
            signed = hashlib.sha256(envelope).hexdigest() if envelope else None
            event = {"event": "checked", "by": by[1], "manifest": signed, "files": report["files"]}
            self._guard.record(event | {"counts": report["counts"]})

    def _content_keys(self) -> Any:
        class Keys(self._lever.candidate.Keys):  # type: ignore[name-defined, misc]  # loaded by name
            """Keys from digests of sources, instead of from sources."""

            digest = b""

            def key(self, source: bytes, dialect: str) -> bytes:
                found: bytes = super().key(self.digest, dialect)
                return found

        return Keys()
