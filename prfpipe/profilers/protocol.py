"""What a profiler is to the rest of the room."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prfpipe.models import AllocationProfile, CpuProfile
from prfpipe.profilers.frames import Targets


@dataclass(frozen=True)
class Run:
    """One finished run of a subject under a profiler.

    `output`: what the profiler wrote; `report`: what it printed; `tree`: the variant's files; `folder`: where
    the artifact files go; `title`: lever, variant, scenario for people; `operations`: how many were answered.
    """

    output: Path
    report: Path
    tree: Path
    folder: Path
    title: str
    operations: int
    targets: Targets


class Profiler(Protocol):
    """Runs a subject under a profiling tool and turns what the tool wrote into the files of ART-02."""

    name: str
    least: int
    """Operations of the warm subject that a profile must hold."""
    environments: tuple[Mapping[str, str], ...]
    """Additions to the environment, each tried where the subject aborted in the one before."""

    def require(self) -> None:
        """Raise `ProfilerError` with an install hint where the tool is missing."""

    def wrap(self, output: Path) -> tuple[str, ...]:
        """Beginning of a command line that runs a Python program under the tool, which writes to `output`."""

    def told(self, timed_ns: int, output: Path) -> float:
        """How much of what is wanted a run whose operations took `timed_ns` tells; from 1 on it is enough."""

    def valid(self, timed_ns: int) -> bool:
        """Whether a run may stop early because time is up; else it goes on up to the hard limit."""

    def refusal(self, stderr: str) -> str | None:
        """The tool's own reason for a run that failed, where the tool and not the subject was at fault."""

    def collect(self, run: Run) -> CpuProfile | AllocationProfile:
        """Check the output, write the artifact files into `run.folder` and summarize.

        Raises:
            ProfilerError: the output is missing, empty, cut, enormous or says too little.
        """
