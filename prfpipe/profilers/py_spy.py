"""py-spy: a sampling profiler that looks into the subject from outside.

Idle threads are sampled too, so that the profile is one of latency: an operation that waits shows where it
waits, and Amdahl's bound holds for what is measured. Stacks are recorded once; other files come from them.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from prfpipe.digests import pretty_json
from prfpipe.errors import ProfilerError
from prfpipe.models import CpuProfile
from prfpipe.profilers import folded, hotspots
from prfpipe.profilers.flamegraph import flamegraph
from prfpipe.profilers.frames import Paths, Stacks
from prfpipe.profilers.protocol import Run
from prfpipe.profilers.speedscope import speedscope

RATE = 500
WANTED_SAMPLES = 1000
_REPORT = re.compile(r"Samples: (\d{1,12}) Errors: (\d{1,12})\s*(?:\n|$)")
_REFUSALS = ("Permission Denied", "Operation not permitted", "Failed to find python", "Failed to get process")
_MISSING = ProfilerError("py-spy is not installed", hint="Install it: python -m pip install py-spy")
_REPORT_TAIL = 4000


class PySpy:
    """See `Profiler`."""

    name = "py-spy"
    least = 2
    environments: tuple[Mapping[str, str], ...] = ({},)

    def require(self) -> None:
        """See `Profiler.require`."""
        _executable()

    def wrap(self, output: Path) -> tuple[str, ...]:
        """See `Profiler.wrap`."""
        options = ("--rate", str(RATE), "--format", "raw", "--idle", "--nolineno", "--full-filenames")
        # If py-spy is killed, the program that it started has to go with it.
        setpriv = shutil.which("setpriv")
        dies_too = (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()
        python = (*dies_too, sys.executable, "-P")
        return (_executable(), "record", *options, "--output", str(output), "--", *python)

    def told(self, timed_ns: int, output: Path) -> float:
        """See `Profiler.told`."""
        return timed_ns * RATE / (1.1 * WANTED_SAMPLES * 1e9)

    def valid(self, timed_ns: int) -> bool:
        """See `Profiler.valid`."""
        return timed_ns * RATE >= 1.5 * hotspots.MIN_SAMPLES * 1e9

    def refusal(self, stderr: str) -> str | None:
        """See `Profiler.refusal`."""
        return next((line for line in stderr.splitlines() if any(text in line for text in _REFUSALS)), None)

    def collect(self, run: Run) -> CpuProfile:
        """See `Profiler.collect`."""
        recorded = folded.read(run.output, Paths(run.tree).short)
        errors = _errors(run.report, sum(recorded.values()))
        stacks = folded.operations_only(recorded)
        profile = hotspots.summarize(stacks, errors=errors, targets=run.targets)
        for name, data in _files(stacks, profile, run).items():
            (run.folder / name).write_bytes(data)
        return profile


def _executable() -> str:
    beside = str(Path(sys.executable).parent)
    found = shutil.which("py-spy", path=os.pathsep.join((beside, os.environ.get("PATH", os.defpath))))
    if found is None:
        raise _MISSING
    return found


def _errors(report: Path, recorded: int) -> int:
    """Sampling errors by py-spy's count. It says how many samples it took: a file with fewer is cut."""
    try:
        text = report.read_bytes()[-_REPORT_TAIL:].decode("utf-8", "replace")
    except OSError:
        text = ""
    found = _REPORT.findall(text)
    if not found:
        raise ProfilerError("py-spy did not say that it finished", hint="Run `py-spy record` by hand.")
    samples, errors = map(int, found[-1])
    if recorded < samples:
        raise ProfilerError(
            f"py-spy took {samples} samples, its output holds {recorded}: it is cut",
            hint="Is the disk full? Profile again.",
        )
    return errors


def _files(stacks: Stacks, profile: CpuProfile, run: Run) -> dict[str, bytes]:
    what = f"{profile.samples} samples inside {run.operations} operations, {RATE} a second, waiting included"
    svg = flamegraph(stacks, title=run.title, subtitle=what, targets=run.targets)
    return {
        "cpu.folded": folded.render(stacks),
        "cpu.svg": svg,
        "cpu.speedscope.json": speedscope(stacks, title=run.title),
        "hotspots.json": pretty_json(_hotspots(profile, run)),
    }


def _hotspots(profile: CpuProfile, run: Run) -> dict[str, object]:
    return {
        "format": "prfpipe/hotspots/v1",
        "profile": run.title,
        "operations": run.operations,
        "samples": profile.samples,
        "errors": profile.errors,
        "unknown_percent": profile.unknown_percent,
        "targets": list(profile.targets),
        "target_percent": profile.target_percent,
        "amdahl_speedup": profile.amdahl_speedup,
        "self": [found.model_dump() for found in hotspots.top_self(profile.hotspots)],
        "total": [found.model_dump() for found in hotspots.top_total(profile.hotspots)],
    }
