"""Lockstep comparison of several runtimes' outputs: LEV-02's harness with its judge by structure.

The streams are `WORKDIR/streams/NAME`. What a runtime prints has no publisher: of such a stream provenance checks that
it answers the corpus whose scripts were signed. With `recorded: {"signed": true}` the streams are files that a
publisher has recorded and signed (`WORKDIR/streams.manifest`), and each is compared with its digest before a line of
it is used.
"""

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates.runtime import levers
from gates.runtime.errors import ForgedError, TamperedError
from gates.runtime.manifest import Manifest
from gates.runtime.policy import Uid

if TYPE_CHECKING:
    from gates.runtime.core import Runtime

CORPUS = "levers/lev_02_lockstep/corpus"


class HotPath:
    """Compares the streams that an operation names."""

    def __init__(self, runtime: "Runtime", workdir: Path) -> None:
        self._guard = runtime.guard
        self._folder, self._signed = workdir / "streams", workdir / "streams.manifest"
        lever = levers.load("lev_02_lockstep", "candidate", "harness", "streams", admit=self._guard.admit_code)
        self._harness, self._streams = lever.harness, lever.streams
        self._judge = lever.candidate.Subject({}, workdir)

    def perform(self, operation: Mapping[str, Any], by: Uid) -> dict[str, Any]:
        """The report; see LEV-02's `workload.py` for the operation."""
        for name in operation["runtimes"]:
            self._guard.require(by, "compare", ("Program", name))
        recorded = operation.get("recorded", {}).get("signed", False)
        manifest = self._manifest() if recorded else None
        streams = [self._stream(name, manifest) for name in operation["runtimes"]]
        report: dict[str, Any] = self._harness.compare(streams, self._judge, operation["fixtures"])
        if not recorded:
            self._check_corpus(streams)
        self._record(by, operation, report)
        return report

    def close(self) -> None:
        """Nothing is held between operations."""

    def _stream(self, name: str, manifest: Manifest | None) -> Any:
        stream = self._streams.Recorded(name, self._folder / name)
        content = (self._folder / name).read_bytes()
        if manifest is not None:
            manifest.check(name, hashlib.sha256(content).digest())
        stream._source = lambda: BytesIO(content)  # what was compared with its digest is what is read
        return stream

    def _manifest(self) -> Manifest | None:
        provenance = self._guard.provenance
        if provenance is None:
            return None
        try:
            return provenance.manifest(self._signed.read_bytes(), self._folder.name)
        except OSError as error:
            raise ForgedError(f"the recordings have no manifest: {error.strerror}") from error

    def _check_corpus(self, streams: list[Any]) -> None:
        manifest = self._guard.manifest
        if manifest is None:
            return
        signed = manifest.files[CORPUS].hex()
        for stream in streams:  # one that gave no corpus gave no line that counts either
            if stream.corpus and stream.corpus[1].rpartition(":")[2] != signed:
                raise TamperedError(f"{stream.name} answers another corpus than the one that was signed")

    def _record(self, by: Uid, operation: Mapping[str, Any], report: Mapping[str, Any]) -> None:
        names = ("agreed", "disagreed", "complete", "bands")
        event = {"event": "compared", "by": by[1], "runtimes": operation["runtimes"]}
        self._guard.record(event | {name: report[name] for name in names})
