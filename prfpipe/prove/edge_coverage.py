"""Line and branch coverage of the optimized path by the edge cases, with coverage.py."""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prfpipe.errors import SubjectCrashError
from prfpipe.layout import optimized_files
from prfpipe.models import CoverageFile, LeverSpec, PythonVariant

if TYPE_CHECKING:
    from coverage import Coverage


@dataclass
class EdgeCoverage:
    """Collects one data file for each run of the candidate in `folder` and joins them to one report.

    A candidate that is a command runs out of coverage.py's sight: then nothing is collected, and the report
    says that no line was reached, so that each needs a written reason.
    """

    spec: LeverSpec
    tree: Path
    folder: Path
    _data_files: list[Path] = field(default_factory=list)

    def wrap(self) -> tuple[str, ...]:
        """What goes before the command of the next run of the candidate; nothing where it is not Python."""
        if not isinstance(self.spec.variants.candidate, PythonVariant):
            return ()
        self.folder.mkdir(parents=True, exist_ok=True)
        data_file = self.folder / str(len(self._data_files))
        self._data_files.append(data_file)
        # No configuration: the lever's folder must not decide what is left out.
        settings = ("--rcfile", os.devnull, "--branch", "--data-file", str(data_file))
        return (sys.executable, "-P", "-m", "coverage", "run", *settings)

    def report(self) -> tuple[tuple[CoverageFile, ...] | None, str]:
        """Coverage of each Python file of the optimized path, and what else the reader must know.

        Where the optimized path has no Python file there is no coverage, only the reason.
        """
        python = sorted(name for name in optimized_files(self.spec) if name.endswith(".py"))
        if not python:
            return None, "coverage.py cannot see into the optimized path: no file of it is Python"
        coverage = self._joined(python)
        reason = "" if self._data_files else "coverage.py cannot see into a candidate that is a command"
        try:
            return tuple(self._file(coverage, name) for name in python), reason
        finally:
            coverage.get_data().close(force=True)

    def _joined(self, python: list[str]) -> "Coverage":
        from coverage import Coverage, CoverageData

        coverage = Coverage(data_file=None, branch=True, config_file=False)
        # A reason for a line that is not reached stands in lever.yaml, where people see it: not in a pragma, nor in a
        # pattern such as `if TYPE_CHECKING:`, which coverage.py finds in comments too.
        coverage.clear_exclude()
        coverage.clear_exclude("partial")
        data = coverage.get_data()
        for path in self._data_files:
            if not path.exists():
                raise _lost()
            part = CoverageData(basename=str(path))
            part.read()
            data.update(part)
            part.close()
        data.add_arcs({os.path.realpath(self.tree / name): set() for name in python})
        return coverage

    def _file(self, coverage: "Coverage", name: str) -> CoverageFile:
        output = self.folder / "report.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        coverage.json_report(morfs=[os.path.realpath(self.tree / name)], outfile=str(output))
        [found] = json.loads(output.read_bytes())["files"].values()
        return self._without_exclusions(name, found)

    def _without_exclusions(self, name: str, found: dict[str, Any]) -> CoverageFile:
        excluded = {line for entry in self.spec.coverage_exclusions if entry.file == name for line in entry.lines}
        missing = set(found["missing_lines"])
        branches = [(int(start), int(end)) for start, end in found["missing_branches"]]
        return CoverageFile(
            file=name,
            lines=found["summary"]["num_statements"],
            branches=found["summary"]["num_branches"],
            missing_lines=tuple(sorted(missing - excluded)),
            missing_branches=tuple(branch for branch in branches if excluded.isdisjoint(branch)),
            excluded_lines=tuple(sorted(excluded)),
        )


def _lost() -> SubjectCrashError:
    return SubjectCrashError(
        "the candidate ended before coverage.py could write what the edge cases reached",
        hint="After close() the process must end by itself: no os._exit, no signal to itself.",
    )
