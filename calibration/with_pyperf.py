"""pyperf on one case: two benchmark runs one after the other and `pyperf compare_to`, as its documentation shows."""

import importlib.util
import json
import math
import re
import sys
import time
from importlib.metadata import version as installed_version
from pathlib import Path
from statistics import fmean

from calibration.case import LEVER, Case, Finding, ToolError, call_of, run_tool
from calibration.summary import two_sided_p

# pyperf's own defaults: 3 values of at least 0.1 s and a warm-up in each process; only their number is cut.
VALUES, WARMUPS, VALUE_S = 3, 1, 0.1
_PROBE_LOOPS = 100
_SCORE = re.compile(r"^Significant \(t=(-?[\d.]+)\)$|^(Not significant!)$", re.MULTILINE)


def version() -> str:
    """The version of pyperf.

    Raises:
        ToolError: it is not installed.
    """
    if importlib.util.find_spec("pyperf") is None:
        raise ToolError(
            "pyperf is not installed", hint=f"{sys.executable} -m pip install pyperf, or leave it out with --only."
        )
    return installed_version("pyperf")


def tune(cpu: int, scratch: Path) -> dict[str, float]:
    """How many operations make a value of 0.1 s, and what a process and the whole tool cost."""
    first = scratch / "tune.json"
    _benchmark(cpu, 0, {"loops": _PROBE_LOOPS, "processes": 1}, first, timeout=60)
    loops = max(1, math.ceil(VALUE_S / min(values_of(first))))
    times = []
    for processes in (1, 4):
        start = time.perf_counter()
        _benchmark(cpu, 0, {"loops": loops, "processes": processes}, scratch / f"tune-{processes}.json", timeout=120)
        times.append(time.perf_counter() - start)
    process = (times[1] - times[0]) / 3
    return {"loops": loops, "process_s": round(process, 4), "tool_s": round(max(times[0] - process, 0.0), 4)}


def compare(case: Case) -> Finding:
    """Both variants for half of the time each."""
    each = case.seconds / 2 - case.tuning["tool_s"]
    shape = {"loops": case.tuning["loops"], "processes": max(2, math.floor(each / case.tuning["process_s"]))}
    files = [case.scratch / name for name in ("baseline.json", "candidate.json")]
    for file, extra in zip(files, (0, case.experiment.extra_percent), strict=True):
        _benchmark(case.cpu, extra, shape, file, timeout=10 * case.seconds + 60)
    text = run_tool(
        [sys.executable, "-m", "pyperf", "compare_to", "-v", *map(str, files)], timeout=60, off_cpu=case.cpu
    )
    return judge(files[0], files[1], text, true_percent=case.experiment.extra_percent)


def _benchmark(cpu: int, extra_percent: int, shape: dict[str, float], file: Path, *, timeout: float) -> None:
    options = {
        "--extra-percent": extra_percent,
        "--processes": int(shape["processes"]),
        "--values": VALUES,
        "--warmups": WARMUPS,
        "--loops": int(shape["loops"]),
        "--affinity": cpu,
        "--output": file,
    }
    words = [str(word) for option in options.items() for word in option]
    run_tool([sys.executable, str(LEVER / "pyperf_script.py"), "--quiet", *words], timeout=timeout, off_cpu=cpu)


def judge(before: Path, after: Path, compared: str, *, true_percent: float) -> Finding:
    """Two files and what `compare_to` printed -> finding: the ratio of means; called as pyperf calls it (5 %)."""
    values = [values_of(file) for file in (before, after)]
    found = _SCORE.search(compared)
    if found is None:
        raise ToolError(
            f"pyperf compare_to said something unknown: {compared[-200:]!r}", hint="Use pyperf 2.9 or 2.10."
        )
    change = round(100 * (fmean(values[1]) / fmean(values[0]) - 1), 4)
    freedom = len(values[0]) + len(values[1]) - 2
    p = two_sided_p(float(found[1]), freedom) if found[1] else None
    return Finding(
        change_percent=change,
        true_percent=float(true_percent),
        call=call_of(change, significant=found[1] is not None),
        details={"values": len(values[0]), "p": None if p is None else round(p, 6)},
    )


def values_of(file: Path) -> list[float]:
    """All timed values of a pyperf file, in seconds per operation; warm-ups do not count."""
    runs = json.loads(file.read_bytes())["benchmarks"][0]["runs"]
    return [value for run in runs for value in run.get("values", ())]
