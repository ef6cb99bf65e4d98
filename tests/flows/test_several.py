"""All levers at once: a run each, one table, and a failed run that is named."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.e2e.evaluations import at_home
from tests.flows.prefect_server import Server
from tests.support.levers import write_lever

pytestmark = pytest.mark.server


@pytest.fixture
def several(
    flow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleType, list[dict[str, Any]]]:
    """The flow's module with a queue that ends LEV-BAD by a crash and completes the others, and what was queued."""
    from prefect.client.schemas import FlowRun
    from prefect.states import Completed, Crashed

    module, queued = importlib.import_module("flows.several"), []

    def run(name: str, parameters: dict[str, Any], timeout: float) -> FlowRun:
        assert name == "evaluate-lever/evaluate-lever"
        assert timeout > 0
        queued.append(parameters)
        state = Crashed() if parameters["lever"] == "LEV-BAD" else Completed(message="adopt, claim met.")
        return FlowRun(flow_id="00000000-0000-0000-0000-000000000001", name="run", state=state)

    monkeypatch.setattr(module, "run_deployment", run)
    return module, queued


def _levers(home: Path, *names: str) -> None:
    for name in names:
        write_lever(home / "levers" / name.lower(), id=name)


def _evaluate_all(module: ModuleType, home: Path) -> Any:
    with at_home(home, {"PRFPIPE_LEVERS": str(home / "levers")}):
        return module.evaluate_all(return_state=True)


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
