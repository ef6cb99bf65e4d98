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
        self._params, self._workdir = params, workdir
        self._started: Runtime | None = None

    def instruments(self, params: Mapping[str, Any]) -> Collection[str]:
        """Which instruments are on."""
        return ()

    def operate(self, operation: Mapping[str, Any]) -> list[Any]:
        """The results of each turn, when all of them are released; one that nobody waits behind is not begun early."""
        runtime, path = self._started or self._start(), self._params["path"]
        turns = [(turn["by"], turn["operations"]) for turn in operation["turns"]]
        if len(turns) > 1:
            return list(runtime.perform_each(path, turns))
        return [runtime.perform_all(path, operations, by) for by, operations in turns]

    def close(self) -> None:
        """Ends the runtime."""
        if self._started is not None:
            self._started.close()

    def _start(self) -> Runtime:
        """With the first turn, since the workload may put the state into place only just before it."""
        state, on = self._workdir / "state", self.instruments(self._params)
        self._started = Runtime.start(state / "config.json", state, workdir=self._workdir, instruments=on)
        return self._started
