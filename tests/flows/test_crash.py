"""Nobody is left who could tell: flow process and worker killed while a run measures. All cells: tests/reliability."""

import asyncio
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import yaml

from flows.names import HEARTBEAT_SECONDS, HEARTBEAT_VARIABLE, TAG
from prfpipe.attest.keys import Keys
from prfpipe.attest.trust import Trust
from prfpipe.layout import STATEMENT
from tests.e2e.evaluations import at_home, shorten
from tests.flows.deployment import ROOT, Deployed
from tests.flows.prefect_server import wait_until
from tests.reliability.prefect_bench import LEVER, Bench, alive
from tests.support.fault_audit import audited, refusals
from tests.support.fault_runs import kept_lines, tree_of
from tests.support.levers import write_lever

pytestmark = [pytest.mark.server, pytest.mark.slow]

SECONDS = 170
OTHER = "LEV-OTHER"


@dataclass(frozen=True)
class Crashed:
    """A run that was killed in its first measuring stage, and what was tried while it lived."""

    bench: Bench
    run_id: str
    while_it_lived: Any
    elsewhere: Any
    ended: list[str]
    message: str
    recorded: set[bytes]


@pytest.fixture(scope="module")
def crashed(flow: ModuleType, deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashed]:
    home = tmp_path_factory.mktemp("crash")
    often = {"PRFPIPE_TEST_HEARTBEAT": "1", "PRFPIPE_TEST_LINGER_SECONDS": str(SECONDS)}
    with Bench(home, deployed.server, deployed.environment | often) as bench:
        write_lever(home / "levers" / "other", id=OTHER)
        flow_run = bench.launch(linger="baseline")
        wait_until(bench.reached.exists, SECONDS, "a run that measures")
        [run_id] = (path.name for path in bench.runs.iterdir() if path.suffix != ".work")
        with _told_after(10):
            heard = _heard(deployed)
            second = _resume(flow, bench, run_id)
            elsewhere = _resume(flow, bench, run_id, PRFPIPE_LOCK=str(home / "another.lock"))
            wait_until(lambda: _heard(deployed) > heard + 1, SECONDS, "heartbeats that the automation has seen")
            taken = _taken(deployed)
            process = bench.measuring()
            for pid in (bench.worker, process):
                bench.kill(pid)
            wait_until(lambda: not alive(process), SECONDS, "its end")
            recorded = {line for line in kept_lines(bench.runs / run_id) if b'"kind":"invocation"' in line}
            ended = [bench.ended(identity, SECONDS) for identity in (flow_run, taken)]
        message = bench.flow_run(flow_run)["state"]["message"]
        yield Crashed(bench, run_id, second, elsewhere, ended, message, recorded)


def _heard(deployed: Deployed) -> int:
    answer = deployed.server.post("events/filter", {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}}})
    return int(answer.json()["total"])


def _taken(deployed: Deployed) -> str:
    """A run as a worker leaves it that dies before the run has begun."""
    answer = deployed.create_run({"lever": LEVER}, work_queue_name="nobody", enforce_parameter_schema=False)
    assert answer.is_success, answer.text
    identity = str(answer.json()["id"])
    assert deployed.server.post(f"flow_runs/{identity}/set_state", {"state": {"type": "PENDING"}}).is_success
    return identity


@contextmanager
def _told_after(seconds: int) -> Iterator[None]:
    """The automations of `prfpipe up`, with less patience: the least that Prefect allows."""
    from prefect.client.orchestration import get_client

    async def install() -> list[Any]:
        within = timedelta(seconds=seconds)
        async with get_client() as client:
            return [await client.create_automation(make(within)) for make in (module.crashed, module.never_began)]

    async def remove() -> None:
        async with get_client() as client:
            for identity in installed:
                await client.delete_automation(identity)

    module = importlib.import_module("flows.automations")
    installed = asyncio.run(install())
    try:
        yield
    finally:
        asyncio.run(remove())


def _resume(flow: ModuleType, bench: Bench, run_id: str, lever: str = LEVER, **changes: str) -> Any:
    """The flow's state for the same run id, in this process."""
    effort = changes.pop("effort", "quick")
    wanted: Mapping[str, str] = {
        name: value for name, value in bench.environment.items() if name.startswith("PRFPIPE_")
    }
    with at_home(bench.home, {**wanted, **changes}):
        return flow.evaluate_lever(lever=lever, effort=effort, accept_noise=True, resume=run_id, return_state=True)


def test_a_run_that_nobody_hears_of_any_more_is_marked_crashed(crashed: Crashed) -> None:
    assert crashed.ended[0] == "CRASHED"
    assert "`resume` goes on" in crashed.message


def test_a_run_that_was_taken_and_did_not_begin_is_marked_crashed(crashed: Crashed) -> None:
    assert crashed.ended[1] == "CRASHED"


def test_a_second_copy_is_refused_while_the_first_lives(crashed: Crashed) -> None:
    assert crashed.while_it_lived.is_failed()
    assert "is measuring on this host" in crashed.while_it_lived.message


def test_a_second_copy_is_refused_also_where_the_lock_is_another(crashed: Crashed) -> None:
    assert crashed.elsewhere.is_failed()
    assert crashed.run_id in crashed.elsewhere.message


@pytest.mark.parametrize(
    ("other", "because"),
    [({"effort": "standard"}, "was planned with quick effort"), ({"lever": OTHER}, f"is a run of {LEVER}")],
    ids=["effort", "lever"],
)
def test_nothing_measured_is_given_out_for_another_plan(
    flow: ModuleType, crashed: Crashed, other: dict[str, str], because: str
) -> None:
    state = _resume(flow, crashed.bench, crashed.run_id, **other)
    assert state.is_failed()
    assert because in state.message
    assert not list(crashed.bench.store.rglob(STATEMENT))


def test_a_new_worker_resumes_it_and_no_sample_is_lost(crashed: Crashed, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = crashed.bench
    bench.start_worker()
    flow_run = bench.launch(resume=crashed.run_id)
    assert bench.ended(flow_run, SECONDS) == "COMPLETED", bench.flow_run(flow_run)
    [statement] = bench.store.rglob(STATEMENT)
    assert statement.parent.name == crashed.run_id
    assert crashed.recorded
    assert crashed.recorded <= kept_lines(statement.parent)
    shorten(monkeypatch)
    report = audited(tree_of(statement.parent), Trust.in_keys(*Keys(bench.home / "keys").public_keys().own.values()))
    assert report.accepted, refusals(report)


def test_each_deployment_says_often_enough_that_its_run_lives() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert [item["name"] for item in deployments if TAG not in item["tags"]] == []
    wanted = {HEARTBEAT_VARIABLE: str(HEARTBEAT_SECONDS)}
    assert [item["name"] for item in deployments if item["work_pool"]["job_variables"]["env"] != wanted] == []
