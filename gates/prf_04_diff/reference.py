"""What a diff must be: LEV-01's baseline, which analyses every module with its query and keeps nothing.

A module that the prefilter skips has the flag `not-parsed` instead of its own; it is an error if it uses anything.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import prefilter

from gates.runtime import levers

lever = levers.load("lev_01_compat_cache", "baseline", "project")


class Subject:
    """Diffs the project in `workdir/project`."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._project = workdir / "project"
        self._baseline = lever.baseline.Subject(params, workdir)

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The baseline's report of the project as it stands now, without what is the same in both runtimes."""
        report = self._baseline.operate(operation)
        modules = lever.project.modules(bytes(self._project))
        rows = [_row(module, *row) for module, row in zip(modules, report["modules"], strict=True)]
        return {"runtimes": report["targets"], "files": report["files"], "modules": rows}

    def close(self) -> None:
        """Nothing is held between operations."""


def _row(module: Any, name: str, flags: list[str], findings: list[list[Any]]) -> list[Any]:
    if module.data is not None and prefilter.can_use_nothing(module.data):
        # What a text with errors is flagged for besides is what the parser's recovery made of it.
        if findings or (flags and "syntax-error" not in flags):
            raise AssertionError(f"{name} would not be parsed, but has {flags} {findings}")
        flags = [prefilter.FLAG]
    return [name, flags, [finding for finding in findings if finding[4] != "ok"]]
