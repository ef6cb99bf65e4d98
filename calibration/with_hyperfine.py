"""hyperfine on one case: two commands one after the other, as its own comparison does."""

import json
import math
import shlex
import shutil
import sys
import time
from pathlib import Path
from statistics import fmean, median, stdev

from calibration.case import LEVER, Case, Finding, ToolError, call_of, run_tool
from calibration.summary import welch

RUN_S = 0.3
ALPHA = 0.01
_PROBES = 7
_PROBE_OPERATIONS = 500


def version() -> str:
    """The version of hyperfine.

    Raises:
        ToolError: it is not installed.
    """
    if shutil.which("hyperfine") is None or shutil.which("taskset") is None:
        raise ToolError(
            "hyperfine is not installed", hint="apt-get install -y hyperfine util-linux, or leave it out with --only."
        )
    return run_tool(["hyperfine", "--version"], timeout=10).split()[-1]


def tune(cpu: int) -> dict[str, float]:
    """How many operations make a command of about 0.3 s, and how much of it is start-up."""
    startup = median(_seconds(cpu, 0) for _ in range(_PROBES))
    probe = median(_seconds(cpu, _PROBE_OPERATIONS) for _ in range(_PROBES))
    operation = (probe - startup) / _PROBE_OPERATIONS
    operations = max(1, round((RUN_S - startup) / operation))
    return {
        "operations": operations,
        "startup_s": round(startup, 5),
        "operation_s": round(operation, 8),
        "run_s": round(startup + operations * operation, 5),
    }


def _seconds(cpu: int, operations: int) -> float:
    start = time.perf_counter()
    run_tool(shlex.split(_command(cpu, 0, operations)), timeout=60, off_cpu=cpu)
    return time.perf_counter() - start


def _command(cpu: int, extra_percent: int, operations: int) -> str:
    return shlex.join(
        ["taskset", "-c", str(cpu), sys.executable, str(LEVER / "command.py"), str(extra_percent), str(operations)]
    )


def compare(case: Case) -> Finding:
    """`hyperfine --warmup 1 --runs N` of both commands; N fills the time."""
    runs = max(2, math.floor(case.seconds / 2 / case.tuning["run_s"]) - 1)
    file = case.scratch / "hyperfine.json"
    commands = [
        _command(case.cpu, extra, int(case.tuning["operations"])) for extra in (0, case.experiment.extra_percent)
    ]
    argv = ["hyperfine", "-N", "--style", "basic", "--warmup", "1", "--runs", str(runs), "--export-json", str(file)]
    run_tool([*argv, *commands], timeout=10 * case.seconds + 60, off_cpu=case.cpu)
    startup_share = case.tuning["startup_s"] / case.tuning["run_s"]
    return judge(file, true_percent=case.experiment.extra_percent * (1 - startup_share))


def judge(file: Path, *, true_percent: float) -> Finding:
    """The file of hyperfine -> finding: the ratio of means; called by Welch's test at 1 %.

    Its summary says `x ± y times faster`, with y from the standard deviations of the runs: `summary_excludes_1` says
    whether x - y is still above 1.
    """
    before, after = (result["times"] for result in json.loads(file.read_bytes())["results"])
    ratio = fmean(after) / fmean(before)
    test = welch(before, after)
    factor = max(ratio, 1 / ratio)
    margin = factor * math.hypot(stdev(before) / fmean(before), stdev(after) / fmean(after))
    change = round(100 * (ratio - 1), 4)
    return Finding(
        change_percent=change,
        true_percent=round(true_percent, 4),
        call=call_of(change, significant=test.p < ALPHA),
        details={
            "runs": len(before),
            "p": round(test.p, 6),
            "summary": f"{factor:.2f} ± {margin:.2f} times faster",
            "summary_excludes_1": int(factor - margin > 1),
        },
    )
