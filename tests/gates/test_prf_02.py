"""PRF-02 on the reference runtime: every subsystem under churn, extensions that are new, signed and really loaded."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gates.runtime.audit import events
from gates.runtime.errors import TamperedError
from prfpipe.gates import churn
from prfpipe.gates.arrivals import ADD, REMOVE
from prfpipe.gates.churn import open_measurement
from prfpipe.gates.spec import load_gate
from prfpipe.models import GateReport
from tests.support.gate_copies import GATES, copy_of
from tests.support.gate_runs import answer_of, context_of

FOLDER = "prf_02_churn"
SUBSYSTEMS = {"dispatch", ADD, REMOVE, "compat", "lockstep", "hostcalls", "policies", "scheduler"}
SMALL: dict[str, Any] = {
    "extensions": 4,
    "pool": 12,
    "seed": 1,
    "paths": {"scheduler": {"profile": "light", "steps": 50}},
}


def subject_class() -> Any:
    """The class that the gate's driver serves."""
    spec = importlib.util.spec_from_file_location("prf_02_subject", GATES / FOLDER / "subject.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Subject


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Any]:
    """The gate's subject with few extensions and one hot path."""
    found = subject_class()(SMALL, tmp_path)
    yield found
    found.close()


def serve(subject: Any, kind: str, number: int) -> bytes | None:
    subject.prepare(kind, number)
    found: bytes | None = subject.verify(kind, number, subject.operate(kind, number))
    return found


def test_every_subsystem_has_a_budget_in_every_profile() -> None:
    spec = load_gate(GATES / FOLDER).spec
    assert all(budgets.keys() == SUBSYSTEMS for budgets in spec.budgets.values())
    assert spec.params["per_cycle"].keys() == SUBSYSTEMS - {ADD, REMOVE}


def test_all_subsystems_are_served_in_both_arms_with_equally_many_extensions(tmp_path: Path) -> None:
    with open_measurement(context_of(load_gate(GATES / FOLDER), tmp_path)) as measured:
        measured.take(10, frozenset(SUBSYSTEMS))
        counts = {name: len(values) for name, values in measured.samples().items()}
        facts = {arm: running.facts for arm, running in measured.arms.items()}
    assert counts == {**dict.fromkeys(SUBSYSTEMS, 10), "dispatch": 40}
    assert facts["static"]["extensions"] == facts["churn"]["extensions"] == 20
    assert facts["churn"]["audit records"] == facts["static"]["audit records"] + 2 * 30  # 20 cycles to warm up


def test_each_extension_that_comes_was_never_there_and_goes_on_record(subject: Any, tmp_path: Path) -> None:
    before = subject.facts()["audit records"]
    for number in range(5):
        assert serve(subject, ADD, number) is None
        assert serve(subject, "dispatch", number) is None
        assert serve(subject, REMOVE, number) is None
    subject.close()
    key = (tmp_path / "state" / "trust" / "audit.key").read_bytes()
    found = events(tmp_path / "state" / "audit.log", key)[before:]
    added = [event for event in found if event["event"] == "added"]
    assert len({event["extension"] for event in added}) == len({event["sha256"] for event in added}) == 5
    assert [event["event"] for event in found] == ["added", "dispatched", "removed"] * 5


def test_an_extension_that_was_changed_on_disk_is_refused_in_mid_churn(subject: Any, tmp_path: Path) -> None:
    subject.prepare(ADD, 0)
    for path in (tmp_path / "state" / "extensions").glob("*.py"):
        path.write_text(path.read_text() + "x = 1\n")
    with pytest.raises(TamperedError):
        subject.operate(ADD, 0)


def test_an_event_that_not_all_extensions_answered_is_refused(subject: Any) -> None:
    subject.prepare("dispatch", 0)
    answer = subject.operate("dispatch", 0)
    with pytest.raises(ValueError, match="3 answers of 4 extensions"):
        subject.verify("dispatch", 0, answer[1:])


def test_a_slice_of_the_schedulers_work_is_answered_alike_whoever_comes_and_goes(tmp_path: Path) -> None:
    one, other = (subject_class()(SMALL, tmp_path / arm) for arm in ("one", "other"))
    serve(other, ADD, 0)
    assert [serve(one, "scheduler", at) for at in range(4)] == [serve(other, "scheduler", at) for at in range(4)]
    one.close()
    other.close()


def test_the_profile_is_of_the_whole_traffic_under_churn_and_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(churn, "PROFILED_S", 2.0)
    measured = open_measurement(context_of(load_gate(GATES / FOLDER), tmp_path))
    stacks = measured.profile("dispatch", tmp_path)
    assert stacks is not None
    assert b"ExtensionHost.add (gates/runtime/extension_host.py)" in stacks
    assert b"wait_until" not in stacks
    assert b"_install" not in stacks
    assert measured.profile(ADD, tmp_path) == stacks


@pytest.mark.slow
def test_a_subsystem_made_slow_on_purpose_turns_the_gate_red_and_shows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(churn, "PROFILED_S", 2.0)
    call = "return self._runtime.extensions.remove(operation)"
    gate = copy_of(tmp_path, FOLDER, subject=(call, f"__import__('time').sleep(0.012); {call}"))
    code, report = answer_of(gate, tmp_path, samples=100)
    assert code == 1
    assert isinstance(report, GateReport)
    slow = next(check for check in report.checks if check.subject == REMOVE)
    assert slow.state == "fail"
    assert slow.low is not None
    assert slow.low >= 12  # ms: what it sleeps
    assert slow.flamegraph.endswith(".svg")
