"""`python -m calibration.prefect_cost`: what it costs to work through Prefect; writes docs/prefect-cost.md.

A `prfpipe up` of its own, a lever that takes seconds, and short efforts: what is looked at is Prefect, not the lever.
Processor time and affinity come from /proc/<pid>/stat and /proc/<pid>/task (proc(5)), seen from outside.
"""

import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from prfpipe import host
from tests.e2e.evaluations import SCENARIOS
from tests.flows.prefect_server import Server
from tests.support.levers import write_lever
from tests.support.up import ROOT, Running, prfpipe_up, shorten_runs

PAGE = ROOT / "docs" / "prefect-cost.md"
SHORT = ROOT / "tests" / "flows" / "short.py"
LEVER, RUNS, QUEUED, DRAINED, REQUESTS = "LEV-01", 5, 200, 5, 20
_PATIENCE = 30
_TICKS = os.sysconf("SC_CLK_TCK")
_ENDS = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_GIVEN = {"lever": LEVER, "effort": "quick", "accept_noise": True}
Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Launched:
    """A run from click to end: seconds of each step; what each task took beyond its stage; CPU share of each part."""

    steps: dict[str, float]
    beyond: dict[str, float]
    cpu: dict[str, float]
    seconds: float


def processes(running: Running) -> dict[str, int]:
    """The server and the worker of this `up`, by what their command lines say."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            own = str(running.home).encode() in (path / "environ").read_bytes()
        except OSError:
            continue
        for part in ("server", "worker"):
            if own and line.startswith(sys.executable) and f"prefect {part} start" in line:
                found[part] = int(path.name)
    return found


def threads(pid: int) -> list[set[int]]:
    """The CPUs that each thread of a process may use."""
    return [os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far: user and system, without its children."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def memory_mib(pid: int) -> float:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _require(true: bool, words: str) -> None:
    if not true:
        raise RuntimeError(words)


def click(server: Server, deployment: str) -> tuple[str, int]:
    """What the form's Submit sends, again while the server says that its database is busy; how often it said so."""
    busy = 0
    url = f"{server.url}/deployments/{deployment}/create_flow_run"
    while True:
        answer = httpx.post(url, json={"parameters": _GIVEN}, timeout=120)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or busy >= _PATIENCE:
            break
        busy += 1
        time.sleep(1)
    answer.raise_for_status()
    return str(answer.json()["id"]), busy


def ended(server: Server, run: str, seconds: float = 300) -> dict[str, Any]:
    """The run when it is over."""
    end = time.monotonic() + seconds
    while (found := server.get(f"flow_runs/{run}"))["state_type"] not in _ENDS:
        _require(time.monotonic() < end, str(found["state"]))
        time.sleep(0.5)
    return found


def launch(running: Running, deployment: str) -> Launched:
    """Click, wait, and ask the server and the run folder when what happened."""
    parts = processes(running)
    before = {part: cpu_seconds(pid) for part, pid in parts.items()}
    run, server = ended(running.server, click(running.server, deployment)[0]), running.server
    spent = {part: cpu_seconds(pid) - before[part] for part, pid in parts.items()}
    states = _states(server, f"flow_run_states/?flow_run_id={run['id']}")
    tasks = server.find("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
    started = {task["name"].split()[0]: _time(task["start_time"]) for task in tasks}
    clicked = _time(run["created"])
    moments = {
        "taken from the queue by the worker": states["Pending"],
        "process, imports, flow begins": states["Running"],
        "progress bar, host's turn, plan begins": started["plan"],
        "plan: noise probe, digests, signature; baseline begins": started["baseline"],
    }
    steps, last = {}, clicked
    for name, moment in moments.items():
        steps[name], last = moment - last, moment
    took = {task["name"].split()[0]: float(task["total_run_time"]) for task in tasks}
    own = _journal(running)
    beyond = {stage: took[stage] - own[stage] for stage in took if stage in own}
    return Launched(
        steps,
        beyond,
        {part: value / float(run["total_run_time"]) for part, value in spent.items()},
        run["total_run_time"],
    )


def _journal(running: Running) -> dict[str, float]:
    """Seconds of each stage by the newest run's own journal: what a task takes longer is Prefect's."""
    folders = [path for path in (running.home / "runs").glob("*/") if path.suffix != ".work"]
    entries = map(json.loads, (max(folders) / "runlog.jsonl").read_text().splitlines())
    times = {(entry["stage"], entry["status"]): _time(entry["time"]) for entry in entries}
    return {stage: end - times[stage, "started"] for (stage, status), end in times.items() if status == "finished"}


def _states(server: Server, path: str) -> dict[str, float]:
    answer = httpx.get(f"{server.url}/{path}", timeout=60)
    return {state["name"]: _time(state["timestamp"]) for state in reversed(answer.json())}


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def inline(running: Running) -> float:
    """Seconds of the same lever with --inline, from the start of the process to its end."""
    words = ["prfpipe", "evaluate", LEVER, "--inline", "--accept-noise", "--effort", "quick"]
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(SHORT), *words],
        env=running.environment,
        cwd=running.home,
        capture_output=True,
        check=False,
    )
    _require(done.returncode in {0, 1, 3}, done.stderr.decode())
    return time.monotonic() - start


def queue(running: Running, deployment: str) -> Rows:
    """Queue many; see what the server does with them, that the first ones come one after the other; stop there."""
    server, parts = running.server, processes(running)
    start, cpu = time.monotonic(), cpu_seconds(parts["server"])
    runs = [click(server, deployment) for _ in range(QUEUED)]
    refused = sum(busy for _, busy in runs)
    queued = time.monotonic() - start
    busy = cpu_seconds(parts["server"]) - cpu
    listed = _timed(lambda: server.find("flow_runs", limit=QUEUED))
    form = _timed(lambda: server.get("deployments/name/evaluate-lever/evaluate-lever"))
    start, cpu = time.monotonic(), {part: cpu_seconds(pid) for part, pid in parts.items()}
    together, completed = _drain(server)
    waited = time.monotonic() - start
    spent = {part: 100 * (cpu_seconds(pid) - cpu[part]) / waited for part, pid in parts.items()}
    memory = {part: memory_mib(pid) for part, pid in parts.items()}
    return [
        (f"{QUEUED} runs queued one after the other", f"{queued:.1f} s, {1000 * queued / QUEUED:.0f} ms each"),
        ("answers 503, database busy, asked again after 1 s", str(refused)),
        ("the server's CPU time for that", f"{busy:.1f} s"),
        (f"list of {QUEUED} runs, median of {REQUESTS}", f"{1000 * listed:.0f} ms"),
        ("the form's deployment, median", f"{1000 * form:.0f} ms"),
        ("the server's CPU with the queue waiting", f"{spent['server']:.1f} % of one CPU"),
        ("the worker's CPU with the queue waiting", f"{spent['worker']:.1f} % of one CPU"),
        ("memory of server and worker", f"{memory['server']:.0f} MiB, {memory['worker']:.0f} MiB"),
        (f"until {completed} had completed", f"{waited:.0f} s"),
        ("tasks of two runs at the same time", str(together)),
    ]


def _drain(server: Server) -> tuple[int, int]:
    """Wait for the first few of the queue; how many pairs of runs worked at the same time, and how many were done."""
    completed = {"state": {"type": {"any_": ["COMPLETED"]}}}
    before, end = RUNS, time.monotonic() + 300
    while len(server.find("flow_runs", flow_runs=completed)) < before + DRAINED:
        _require(time.monotonic() < end, "the queue does not drain")
        time.sleep(1)
    spans = sorted(_spans(server))
    done = len(server.find("flow_runs", flow_runs=completed)) - before
    return sum(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)), done


def _spans(server: Server) -> Iterator[tuple[float, float]]:
    """First start and last end of the tasks of each run."""
    runs: dict[str, list[tuple[float, float]]] = {}
    for task in server.find("task_runs", limit=200, sort="END_TIME_DESC"):
        if task["start_time"] and task["end_time"]:
            runs.setdefault(task["flow_run_id"], []).append((_time(task["start_time"]), _time(task["end_time"])))
    for found in runs.values():
        yield min(start for start, _ in found), max(end for _, end in found)


def _timed(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(REQUESTS):
        start = time.monotonic()
        call()
        times.append(time.monotonic() - start)
    return statistics.median(times)


def placement(running: Running) -> Rows:
    """Which CPUs server and worker may use."""
    rows = [("the CPU that measures", str(host.measuring_cpu()))]
    for part, pid in processes(running).items():
        allowed = set[int]().union(*threads(pid))
        rows.append((f"CPUs of the {part}, all its threads", ", ".join(map(str, sorted(allowed)))))
    return rows


def page(launched: list[Launched], alone: list[float], places: Rows, queued: Rows) -> str:
    """docs/prefect-cost.md."""

    def median(of: Callable[[Launched], float]) -> float:
        return statistics.median(map(of, launched))

    steps = [(name, f"{median(lambda run, name=name: run.steps[name]):.2f} s") for name in launched[0].steps]
    total = median(lambda run: sum(run.steps.values()))
    each = [
        (stage, f"{1000 * median(lambda run, stage=stage: run.beyond[stage]):.0f} ms") for stage in launched[0].beyond
    ]
    cpu = [(f"the {part}", f"{100 * median(lambda run, part=part: run.cpu[part]):.1f} %") for part in launched[0].cpu]
    lines = [
        "# What Prefect costs", "", _words(), "",
        "## From click to the first measured operation", "",
        *_table("step", "time", [*steps, ("**all**", f"**{total:.2f} s**")]),
        "## Stages", "",
        _stages(launched, alone), "", *_table("task", "beyond its stage", each),
        "## Processors", "",
        "CPU time while a run goes on, as a share of one CPU, and where server and worker may run:", "",
        *_table("", "", [*cpu, *places]),
        f"## {QUEUED} queued evaluations", "",
        f"The first {DRAINED} or more were let through; the others were not waited for.", "",
        *_table("", "", queued),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def _stages(launched: list[Launched], alone: list[float]) -> str:
    all_tasks = statistics.median(sum(run.beyond.values()) for run in launched)
    flow = statistics.median(run.seconds for run in launched)
    return (
        f"What a task took by the server's clock beyond its stage by the run's own journal; all: "
        f"{1000 * all_tasks:.0f} ms. The whole flow took {flow:.2f} s, "
        f"`--inline` as a process {statistics.median(alone):.2f} s. "
        "Nothing is timed across a call of Prefect."
    )


def _words() -> str:
    return (
        f"`make cost` wrote this page: a `prfpipe up` on {os.cpu_count()} shared CPUs, a lever of seconds, "
        f"medians of {RUNS} runs, load average {os.getloadavg()[0]:.1f} "
        "at its end. The time of a lever's own measuring is not in question here."
    )


def _table(left: str, right: str, rows: Rows) -> list[str]:
    return [f"| {left} | {right} |", "| :-- | --: |", *(f"| {name} | {value} |" for name, value in rows), ""]


def main() -> int:
    """Measure and write."""
    with tempfile.TemporaryDirectory(prefix="prfpipe-cost-") as folder:
        home = Path(folder)
        write_lever(home / "levers" / "lever", id=LEVER, profiles=[], scenarios=SCENARIOS)
        with prfpipe_up(home, changes={"PRFPIPE_LEVERS": str(home / "levers")}) as running:
            shorten_runs(running.server, shlex.join([sys.executable, str(SHORT), "prefect.engine"]))
            deployment = running.server.get("deployments/name/evaluate-lever/evaluate-lever")["id"]
            launched = [launch(running, deployment) for _ in range(RUNS)]
            alone = [inline(running) for _ in range(RUNS)]
            places = placement(running)
            PAGE.write_text(page(launched, alone, places, queue(running, deployment)), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
