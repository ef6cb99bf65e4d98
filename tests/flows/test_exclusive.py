"""One measurement at a time on a host: asserted from what bundles have recorded, and against a lock alone."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from flows.names import host_limit
from prfpipe import host
from prfpipe.layout import RUNLOG, STATEMENT
from tests.e2e import evaluations
from tests.e2e.evaluations import SCENARIOS, evaluate, left_behind, lever, own_environment
from tests.flows.deployment import ROOT, Deployed
from tests.flows.prefect_server import clean_environment, wait_until
from tests.reliability.prefect_bench import Bench
from tests.support.fault_runs import kept_lines
from tests.support.levers import write_lever

pytestmark = [pytest.mark.server, pytest.mark.slow]

SECONDS = 240
MEASURING = {"plan", "baseline", "profile", "reprofile"}
Window = tuple[datetime, datetime]


@pytest.fixture
def bundles(deployed: Deployed, tmp_path: Path) -> Iterator[list[Path]]:
    """Two evaluations, asked for at once, on a server with this host's limit; one worker, which starts both."""
    limit = {"name": host_limit(host.name()), "limit": 1, "active": True}
    assert deployed.server.post("v2/concurrency_limits/", limit).is_success
    with Bench(tmp_path / "exclusive", deployed.server, deployed.environment) as bench:
        write_lever(bench.home / "levers" / "lever", profiles=[], scenarios=SCENARIOS)
        asked = [bench.launch(), bench.launch()]
        assert [bench.ended(identity, SECONDS) for identity in asked] == ["COMPLETED"] * 2
        yield [path.parent for path in bench.store.rglob(STATEMENT)]
    deployed.server.delete(f"v2/concurrency_limits/{limit['name']}")


def _windows(bundle: Path) -> list[Window]:
    """From the start of each stage that measures to its end, by the run's journal."""
    steps = [json.loads(line) for line in (bundle / RUNLOG).read_bytes().splitlines()]
    of = {
        status: {step["stage"]: _time(step) for step in steps if step["status"] == status}
        for status in ("started", "finished")
    }
    return [(of["started"][stage], of["finished"][stage]) for stage in sorted(MEASURING & of["finished"].keys())]


def _time(step: dict[str, str], key: str = "time") -> datetime:
    return datetime.fromisoformat(step[key])


def _measured(bundle: Path) -> list[datetime]:
    """When each invocation began, by its samples."""
    lines = [json.loads(line) for line in kept_lines(bundle)]
    return [_time(line, "started_at") for line in lines if line["kind"] == "invocation"]


def test_two_evaluations_at_once_never_measure_at_the_same_time(bundles: list[Path]) -> None:
    one, other = sorted(bundles, key=lambda path: min(_windows(path)))
    assert len(_windows(one)) == len(_windows(other)) == len(MEASURING)
    assert max(end for _, end in _windows(one)) < min(begin for begin, _ in _windows(other))
    for bundle in (one, other):
        began = _measured(bundle)
        assert began
        assert all(any(start <= moment <= end for start, end in _windows(bundle)) for moment in began)


def test_inline_without_a_server_who_comes_second_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    folder = lever(first)
    lock = str(first / "tmp" / "host.lock")
    environment = clean_environment(first) | own_environment(first) | {"PYTHONPATH": str(ROOT)}
    words = ["evaluate", str(folder), "--inline", "--accept-noise"]
    measuring = subprocess.Popen(
        [sys.executable, "-m", evaluations.__name__, *words],
        env=environment | {"PRFPIPE_TEST_ENDLESS": "baseline"}, cwd=first, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: list(first.rglob("samples*")) != [], SECONDS, "a measurement")
        second.mkdir()
        refused = evaluate(second, folder, PRFPIPE_LOCK=lock)
        assert measuring.poll() is None
    finally:
        os.killpg(measuring.pid, signal.SIGKILL)
        measuring.wait()
    assert refused.code == 4, refused.err
    assert "is measuring on this host" in refused.err
    assert not list(second.rglob("samples*"))
    assert left_behind(first) == []
