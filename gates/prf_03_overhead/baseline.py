"""The runtime without security instrumentation: the same work, no signatures, no policy, no audit log.

Files are read whole and modules are hashed here too, because the caches want their digests; provenance only compares.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gates.runtime.core import Runtime


class Subject:
    """One runtime on the state that the workload has put into `workdir`."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        state = workdir / "state"
        self._path: str = params["path"]
        self._runtime = Runtime.start(
            state / "config.json", state, workdir=workdir, instruments=self.instruments(params)
        )

    def instruments(self, params: Mapping[str, Any]) -> Collection[str]:
        """Which instruments are on."""
        return ()

    def operate(self, operation: Mapping[str, Any]) -> list[Any]:
        """The results of one turn, when all of them may be released."""
        return self._runtime.perform_all(self._path, operation["turn"], by=operation["by"])

    def close(self) -> None:
        """Ends the runtime."""
        self._runtime.close()
