"""The gates' flow on a real server: a task a gate, the table as an artifact, a failed run for nothing measured."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from flows.names import GATE_FAILED
from prfpipe.gates.run import MEASURES
from tests.flows.prefect_server import Server
from tests.support.gates import gate_yaml, write_gate

pytestmark = pytest.mark.server

FAST, SLOW = [50, 0, 0], [3000, 0, 0]


@pytest.fixture
def gates(flow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The flow's module; `flow` has made this process talk to the server."""
    for name in ("GATES", "GATE_REPORTS", "LOCK"):
        monkeypatch.setenv(f"PRFPIPE_{name}", str(tmp_path / name.lower()))
    monkeypatch.setitem(MEASURES, "PRF-02", "tests.support.gates")
    return importlib.import_module("flows.gates")


def _gate(tmp_path: Path, work: list[int]) -> None:
    write_gate(tmp_path / "gates" / "churn", gate_yaml({"work": 2.5}, params={"work": {"work": work}}))


def test_a_red_gate_completes_with_its_answer_and_a_page(gates: ModuleType, server: Server, tmp_path: Path) -> None:
    _gate(tmp_path, SLOW)
    state = gates.performance_gates("PRF-02", return_state=True)
    assert state.type == "COMPLETED"
    assert "PRF-02 FAIL" in state.message
    flow_run_id = str(state.state_details.flow_run_id)
    tasks = server.find("task_runs", flow_runs={"id": {"any_": [flow_run_id]}})
    assert sorted(task["name"] for task in tasks) == ["measure PRF-02", "publish"]
    [page] = server.find("artifacts", artifacts={"flow_run_id": {"any_": [flow_run_id]}})
    assert "| PRF-02 | work | fail |" in page["data"]


def test_a_red_gate_is_told_once_however_many_budgets_it_missed(
    gates: ModuleType, server: Server, tmp_path: Path
) -> None:
    slow = {"work": SLOW, "more": SLOW}
    write_gate(tmp_path / "gates" / "churn", gate_yaml(dict.fromkeys(slow, 2.5), params={"work": slow}))
    gates.performance_gates("PRF-02", profile="enterprise", return_state=True)
    [folder] = (tmp_path / "gate_reports" / "PRF-02").iterdir()
    [told] = server.events(GATE_FAILED, folder.name)
    assert told["payload"]["profile"] == "enterprise"
    assert "PRF-02 FAIL" in told["payload"]["message"]


def test_a_gate_that_measured_nothing_fails_the_run(gates: ModuleType, tmp_path: Path) -> None:
    _gate(tmp_path, [-1])
    state = gates.performance_gates("PRF-02", return_state=True)
    assert state.type == "FAILED"
    assert "NOTHING MEASURED" in state.message
