"""The check without a cache: every module is parsed and analysed every time.

As a careful engineer ships it: one parser and one compiled query per grammar, made once and reused, members
looked for only where a builtin is bound, each file read once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyser import analyse
from compat import check
from project import Facts, Module


class Subject:
    """Checks the project in `workdir/project`; an operation carries the settings of one check."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._project = workdir / "project"

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The report of the project as it stands now."""
        return check(self._project, operation["settings"], facts_of)

    def close(self) -> None:
        """Nothing is held between operations."""


def facts_of(module: Module) -> Facts:
    """Facts of one module that was read."""
    return analyse(module.data or b"", module.dialect)
