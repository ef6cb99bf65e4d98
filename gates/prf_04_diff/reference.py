"""What a diff must be: LEV-01's baseline, which analyses every module with its query and keeps nothing."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gates.runtime import levers

lever = levers.load("lev_01_compat_cache", "baseline")


class Subject:
    """Diffs the project in `workdir/project`."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._baseline = lever.baseline.Subject(params, workdir)

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The baseline's report of the project as it stands now, without what is the same in both runtimes."""
        report = self._baseline.operate(operation)
        rows = [
            [name, flags, [finding for finding in findings if finding[4] != "ok"]]
            for name, flags, findings in report["modules"]
        ]
        return {"runtimes": report["targets"], "files": report["files"], "modules": rows}

    def close(self) -> None:
        """Nothing is held between operations."""
