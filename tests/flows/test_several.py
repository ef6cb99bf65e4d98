"""All levers at once: a run each, one table, and a failed run that is named."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.e2e.evaluations import at_home
from tests.flows.deployment import Deployed
from tests.flows.prefect_server import Server
from tests.support.host_runs import host_run
from tests.support.levers import write_lever

pytestmark = pytest.mark.server


@pytest.fixture
def several(
    flow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleType, list[dict[str, Any]]]:
    """The flow's module, and what was queued. LEV-BAD always crashes, LEV-ONCE the first time; the others complete."""
    from prefect.client.schemas import FlowRun
    from prefect.states import Completed, Crashed

    module, queued = importlib.import_module("flows.several"), []

    def run(name: str, parameters: dict[str, Any], timeout: float, work_queue_name: str | None) -> FlowRun:
        assert name == "evaluate-lever/evaluate-lever"
        assert timeout > 0
        lever, before = parameters["lever"], [item["lever"] for item in queued]
        queued.append({**parameters, "queue": work_queue_name})
        crashes = lever == "LEV-BAD" or (lever == "LEV-ONCE" and lever not in before)
        state = Crashed() if crashes else Completed(message="adopt, claim met.")
        return FlowRun(flow_id="00000000-0000-0000-0000-000000000001", name="run", state=state)

    monkeypatch.setattr(module, "run_deployment", run)
    return module, queued


def _levers(home: Path, *names: str) -> None:
    for name in names:
        write_lever(home / "levers" / name.lower(), id=name)


def _evaluate_all(module: ModuleType, home: Path, *queues: str) -> Any:
    with at_home(home, {"PRFPIPE_LEVERS": str(home / "levers"), "PRFPIPE_STORE": str(home / "store")}):
        return module.evaluate_all(queues=queues, return_state=True)


@pytest.fixture(scope="module")
def queues(deployed: Deployed) -> None:
    """The pool, with two queues."""
    for name in ("small", "large"):
        answer = deployed.server.post("work_pools/bench/queues", {"name": name})
        assert answer.is_success or answer.status_code == 409, answer.text


def test_each_lever_is_a_run_and_all_are_in_one_table(several: Any, server: Server, tmp_path: Path) -> None:
    _levers(tmp_path, "LEV-A", "LEV-B")
    state = _evaluate_all(several[0], tmp_path)
    assert state.is_completed()
    assert state.message == "LEV-A adopt, claim met.; LEV-B adopt, claim met."
    assert sorted(item["lever"] for item in several[1]) == ["LEV-A", "LEV-B"]
    flow_run_id = str(state.state_details.flow_run_id)
    [table] = server.find("artifacts", artifacts={"flow_run_id": {"any_": [flow_run_id]}})
    assert [row["lever"] for row in json.loads(table["data"])] == ["LEV-A", "LEV-B"]


def test_a_lever_whose_run_crashed_fails_the_whole_and_is_named(several: Any, tmp_path: Path) -> None:
    _levers(tmp_path, "LEV-A", "LEV-BAD")
    state = _evaluate_all(several[0], tmp_path)
    assert state.is_failed()
    assert "LEV-BAD Crashed" in state.message
    assert "LEV-A adopt" in state.message
    assert [item["lever"] for item in several[1]].count("LEV-BAD") == 3


def test_without_queues_nobody_can_read_a_seed_from_the_server(several: Any, tmp_path: Path) -> None:
    _levers(tmp_path, "LEV-A")
    assert _evaluate_all(several[0], tmp_path).is_completed()
    assert ["seed" in item for item in several[1]] == [False]


def test_a_worker_that_finds_no_lever_is_no_success(several: Any, tmp_path: Path) -> None:
    state = _evaluate_all(several[0], tmp_path)
    assert state.is_failed()
    assert "no levers under" in state.message


@pytest.mark.usefixtures("queues")
def test_a_run_whose_host_died_is_started_again_with_the_same_seed(several: Any, tmp_path: Path) -> None:
    _levers(tmp_path, "LEV-ONCE")
    state = _evaluate_all(several[0], tmp_path, "small")
    assert state.is_completed()
    first, second = several[1]
    assert first == second


@pytest.mark.usefixtures("queues")
def test_each_lever_goes_into_each_queue_with_one_seed(several: Any, tmp_path: Path) -> None:
    _levers(tmp_path, "LEV-A", "LEV-B")
    state = _evaluate_all(several[0], tmp_path, "small", "large", "small")
    assert state.is_completed(), state.message
    assert sorted((item["lever"], item["queue"]) for item in several[1]) == [
        (lever, queue) for lever in ("LEV-A", "LEV-B") for queue in ("large", "small")
    ]
    assert len({(item["lever"], item["seed"]) for item in several[1]}) == 2
    assert "LEV-A on small adopt" in state.message
    assert "across hosts" not in state.message


@pytest.mark.usefixtures("queues")
def test_what_two_hosts_found_is_compared(
    several: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _levers(tmp_path, "LEV-A")
    monkeypatch.setattr(several[0], "_runs", lambda *_: [host_run("a", 1.5, 1.6), host_run("b", 1.5, 1.6, number=2)])
    state = _evaluate_all(several[0], tmp_path, "small", "large")
    assert "across hosts the verdicts agree" in state.message
    flow_run_id = str(state.state_details.flow_run_id)
    tables = server.find("artifacts", artifacts={"flow_run_id": {"any_": [flow_run_id]}, "key": {"any_": ["hosts"]}})
    assert [row["verdicts"] for table in tables for row in json.loads(table["data"])] == ["agrees"]


@pytest.mark.usefixtures("queues")
def test_a_queue_that_nobody_made_is_refused_before_anything_is_queued(several: Any, tmp_path: Path) -> None:
    _levers(tmp_path, "LEV-A")
    state = _evaluate_all(several[0], tmp_path, "lagre")
    assert state.is_failed()
    assert "no queue lagre" in state.message
    assert several[1] == []


@pytest.mark.parametrize("name", ["../x", "Large", "s3://x", "a b", ""])
def test_a_queue_is_a_name(several: Any, tmp_path: Path, name: str) -> None:
    _levers(tmp_path, "LEV-A")
    assert _evaluate_all(several[0], tmp_path, name).is_failed()
    assert several[1] == []
