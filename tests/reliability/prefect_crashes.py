"""What dies under Prefect, stage by stage: kill -9 of the flow's process, the worker, both, or the server.

Each try asks for a run, waits until it is in the middle of a stage, kills, starts again what a service manager would
start again, and waits for how the run ends. One that has not ended in a verdict is resumed. Then the samples that were
on the disk before are looked for in the bundle, and the bundle is audited.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from prfpipe.attest.keys import Keys
from prfpipe.attest.trust import Trust
from prfpipe.layout import STATEMENT
from prfpipe.subject import family
from tests.e2e.evaluations import shorten
from tests.flows.prefect_server import wait_until
from tests.reliability.prefect_bench import PrefectBench, alive
from tests.support.fault_audit import audited, refusals
from tests.support.fault_runs import kept_lines, tree_of

STAGES = ("plan", "baseline", "profile", "prove", "implement", "verify", "reprofile", "decide", "publish", "archive")
KILLED = ("flow process", "worker", "both", "server")
LONGEST_SECONDS = 400
_REACH_SECONDS = 240
_MIDDLE_SECONDS = 1.0
_OUTAGE_SECONDS = 5.0


@dataclass
class Try:
    """One kill, and what came of it; seconds count from the kill."""

    stage: str
    killed: str
    ended: str = ""
    said: str = ""
    seconds: float = 0.0
    children: float = 0.0
    resumed: str = ""
    done: float = 0.0
    samples: int = 0
    lost: int = 0
    problem: str = ""

    @property
    def row(self) -> dict[str, Any]:
        """A row of the page."""
        return {
            "stage": self.stage,
            "killed": self.killed,
            "ended as": self.ended.capitalize(),
            "after s": round(self.seconds, 1),
            "resumed": self.resumed,
            "verdict after s": round(self.done, 1),
            "invocations before": self.samples,
            "lost": self.lost,
            "failed": [f"{self.killed} killed in {self.stage}: {self.problem}"] if self.problem else [],
        }


def tries(every: int) -> Iterator[Try]:
    """Stage by stage, each kind of kill on a server and a host's lock of its own, all kinds at the same time."""
    with tempfile.TemporaryDirectory(prefix="prfpipe-crashes-") as folder, ThreadPoolExecutor(len(KILLED)) as pool:
        parts = [
            pool.submit(_all_stages, Path(folder, str(number)), killed, every) for number, killed in enumerate(KILLED)
        ]
        with pytest.MonkeyPatch.context() as patch:
            shorten(patch)  # the auditor has to know the short efforts too
            columns = [part.result() for part in parts]
    for row in zip(*columns, strict=True):
        yield from row


def _all_stages(home: Path, killed: str, every: int) -> list[Try]:
    home.mkdir()
    with PrefectBench(home) as bench:
        return [_told(suffer(bench, stage, killed)) for stage in islice(STAGES, 0, None, every)]


def _told(one: Try) -> Try:
    sys.stderr.write(f"{one}\n")
    return one


def suffer(bench: PrefectBench, stage: str, killed: str) -> Try:
    """One try, from the click to the audited bundle; what nobody has expected is its problem."""
    one = Try(stage, killed)
    try:
        _suffer(bench, one)
    except (AssertionError, OSError, KeyError, httpx.HTTPError) as error:
        one.problem = repr(error)
    return one


def _suffer(bench: PrefectBench, one: Try) -> None:
    stage, killed, before = one.stage, one.killed, _run_folders(bench)
    flow_run = bench.launch(linger=stage)
    wait_until(lambda: bench.reached.exists() or _over(bench, flow_run), _REACH_SECONDS, f"{stage} of {flow_run}")
    time.sleep(_MIDDLE_SECONDS)
    [folder] = _run_folders(bench) - before or [None]
    recorded = kept_lines(folder) if folder else set[bytes]()
    one.samples = _samples(recorded)
    began = time.monotonic()
    one.children = _kill(bench, killed)
    one.ended = bench.ended(flow_run, LONGEST_SECONDS)
    one.seconds = time.monotonic() - began
    one.said = str(bench.flow_run(flow_run)["state"]["message"])
    if one.ended == "COMPLETED":
        one.resumed = "went on"
    else:
        one.resumed = _resume(bench, folder, one)
    one.done = time.monotonic() - began
    _look(bench, one, before, recorded, began)


def _kill(bench: PrefectBench, killed: str) -> float:
    """Kill, and start again what is a service; returns how long the children of a flow's process lived on."""
    flow, began = bench.measuring(), time.monotonic()
    children = family._with_descendants([flow]) if flow else []
    if killed == "server":
        bench.kill(bench.server)
        time.sleep(_OUTAGE_SECONDS)
        bench.start_server()
        return 0.0
    if killed in {"worker", "both"}:
        bench.kill(bench.worker)
    if killed in {"flow process", "both"}:
        bench.kill(flow)
        wait_until(lambda: not any(alive(pid) for pid in children), LONGEST_SECONDS, f"children of {flow}: {children}")
    lived = time.monotonic() - began
    if killed in {"worker", "both"}:
        bench.start_worker()
    return lived


def _resume(bench: PrefectBench, folder: Path | None, one: Try) -> str:
    planned = folder is not None and (folder / "plan.json").exists()
    again = bench.launch(**({"resume": folder.name} if planned and folder else {}))
    ended = bench.ended(again, LONGEST_SECONDS)
    if ended != "COMPLETED":
        one.problem = f"the resumed run ended as {ended}: {bench.flow_run(again).get('state', {}).get('message')}"
    return "yes" if planned else "new run: no plan was frozen"


def _look(bench: PrefectBench, one: Try, before: set[Path], recorded: set[bytes], began: float) -> None:
    """One bundle, whole, with all that was on the disk."""
    new = _run_folders(bench) - before
    bundles = [path for path in bench.store.rglob(STATEMENT) if path.parent.name in {folder.name for folder in new}]
    if len(bundles) != 1:
        one.problem = one.problem or f"{len(bundles)} bundles after {time.monotonic() - began:.0f} s"
        one.lost = one.samples
        return
    files = tree_of(bundles[0].parent)
    report = audited(files, Trust.in_keys(*Keys(bench.home / "keys").public_keys().own.values()))
    if not report.accepted:
        one.problem = one.problem or f"refused: {refusals(report)}"
    one.lost = _samples(recorded - kept_lines(bundles[0].parent))
    if one.lost:
        one.problem = one.problem or f"{one.lost} samples lost"


def _samples(lines: set[bytes]) -> int:
    """Invocations; the headers of sets do not count, and that of an interrupted one is written again."""
    return sum(b'"kind":"invocation"' in line for line in lines)


def _run_folders(bench: PrefectBench) -> set[Path]:
    found = bench.runs.iterdir() if bench.runs.exists() else ()
    return {path for path in found if path.is_dir() and path.suffix != ".work"}


def _over(bench: PrefectBench, flow_run: str) -> bool:
    state = bench.flow_run(flow_run)
    assert state.get("state_type") not in {"COMPLETED", "FAILED", "CRASHED"}, state["state"]
    return False
