"""`prfpipe doctrine`: each principle has a metric and a gate, whose budgets agree with the doctrine's figures."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from prfpipe.gates import run
from tests.support.doctrine_command import Answer, prfpipe
from tests.support.gate_folders import BUDGETS, PROFILES, write_gate, write_gates
from tests.support.levers import write_lever

PRINCIPLES = "INV-PRF-PRINCIPLES"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with all gates: the command looks into the current folder."""
    monkeypatch.chdir(tmp_path)
    write_gates(tmp_path / "gates")
    return tmp_path


def checked() -> Answer:
    return prfpipe("doctrine", "--json")


def budgets(identity: str, **changes: dict[str, float]) -> dict[str, dict[str, float]]:
    """Those of all profiles, some with other figures."""
    return {profile: {**BUDGETS[identity], **changes.get(profile, {})} for profile in PROFILES}


def missing(answer: Answer, clause: str) -> str:
    """What this clause lacks and no other does."""
    assert (answer.code, answer.failing, answer.lacks.keys()) == (1, {PRINCIPLES}, {clause})
    [event] = answer.document["events"]
    assert (event["code"], event["figures"]["clause"]) == ("PRF-002", clause)
    assert event["message"].startswith(f"Missing required performance artifact: {clause}: ")
    assert event.keys().isdisjoint({"run_id", "lever"})
    return answer.lacks[clause]


def test_four_gates_within_the_doctrines_figures_are_compliant() -> None:
    answer = checked()
    assert (answer.code, answer.codes, answer.document["notes"]) == (0, ["PRF-001"], [])
    [held] = answer.document["invariants"]
    assert (held["id"], held["detail"]) == (PRINCIPLES, "4 of 4 gates, 18 budgets in 3 profiles")


@pytest.mark.parametrize("identity", BUDGETS)
def test_a_principle_without_a_gate_is_named(home: Path, identity: str) -> None:
    shutil.rmtree(home / "gates" / identity.lower().replace("-", "_"))
    assert missing(checked(), identity) == "no gate: gates has no folder with a gate.yaml of this id"


def test_a_project_without_gates_lacks_all_four(home: Path) -> None:
    shutil.rmtree(home / "gates")
    answer = checked()
    assert (answer.code, set(answer.lacks), answer.codes) == (1, set(BUDGETS), ["PRF-002"] * 4)


def test_a_gate_that_cannot_be_read_is_named_with_its_line(home: Path) -> None:
    (home / "gates" / "prf_02" / "gate.yaml").write_text("id: PRF-02\nid: PRF-02\n")
    assert "gate.yaml:2: the key 'id' stands twice" in missing(checked(), "PRF-02")


def test_a_budget_that_its_ledger_does_not_explain_is_no_budget(home: Path) -> None:
    path = home / "gates" / "prf_04" / "gate.yaml"
    spec = json.loads(path.read_text())
    spec["budgets"]["ci_dev"]["modules-10"] = 450
    path.write_text(json.dumps(spec, indent=2))
    assert "450.0 here, 500.0 by the changes" in missing(checked(), "PRF-04")


def test_a_second_gate_of_the_same_principle_is_named(home: Path) -> None:
    write_gate(home / "gates", "PRF-01", "prf_01_again")
    assert missing(checked(), "PRF-01") == "two gates have this id: prf_01 and prf_01_again"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_deployment_profile_needs_budgets(home: Path, profile: str) -> None:
    others = {name: BUDGETS["PRF-01"] for name in PROFILES if name != profile}
    write_gate(home / "gates", "PRF-01", budgets=others)
    assert missing(checked(), "PRF-01") == f"no budget for the profile {profile}"


LOOSER: dict[str, tuple[str, float, str]] = {
    "PRF-01": ("first_operation", 100.5, "100.5 ms, looser than the doctrine's 100 ms"),
    "PRF-03": ("analysis", 6, "6 %, looser than the doctrine's 5 %"),
    "PRF-04": ("modules-1000", 1500, "1500 ms, looser than the doctrine's 500 ms"),
}


@pytest.mark.parametrize("identity", LOOSER)
def test_a_budget_in_ci_that_is_looser_than_the_doctrine_is_no_gate_of_it(home: Path, identity: str) -> None:
    subject, budget, told = LOOSER[identity]
    write_gate(home / "gates", identity, budgets=budgets(identity, ci_dev={subject: budget}))
    assert missing(checked(), identity) == f"the budget of {subject} for ci_dev is {told}"


@pytest.mark.parametrize("identity", LOOSER)
def test_a_looser_budget_of_another_profile_is_said(home: Path, identity: str) -> None:
    subject, budget, told = LOOSER[identity]
    write_gate(home / "gates", identity, budgets=budgets(identity, enterprise={subject: budget}))
    answer = checked()
    assert (answer.code, answer.codes) == (0, ["PRF-001"])
    assert answer.document["notes"] == [f"{identity}: the budget of {subject} for enterprise is {told}"]


def test_an_override_that_is_looser_than_the_doctrine_counts_while_it_lasts(home: Path) -> None:
    override: dict[str, Any] = {
        "profile": "ci_dev", "subject": "analysis", "budget": 7, "reason": "until the new signing library is in",
    }  # fmt: skip
    write_gate(home / "gates", "PRF-03", overrides=[{**override, "until": "9999-12-31"}])
    assert "7 %, looser than the doctrine's 5 %, until 9999-12-31: until the new" in missing(checked(), "PRF-03")
    write_gate(home / "gates", "PRF-03", overrides=[{**override, "until": "2026-01-01"}])
    assert checked().code == 0


def test_the_doctrine_leaves_the_budgets_of_churn_to_each_subsystem(home: Path) -> None:
    write_gate(home / "gates", "PRF-02", budgets=budgets("PRF-02", ci_dev={"dispatch": 9000}))
    assert checked().code == 0


def test_what_is_out_of_scope_is_said_with_its_reason(home: Path) -> None:
    reason = "a hostcall takes 2 µs and cannot carry a signature check"
    write_gate(home / "gates", "PRF-03", out_of_scope={"hostcall": reason})
    answer = checked()
    assert (answer.code, answer.document["notes"]) == (0, [f"PRF-03: hostcall is out of scope: {reason}"])


@pytest.mark.parametrize(
    ("module", "told"), [("prfpipe.gates.nothing", "cannot be imported"), ("prfpipe.gates.ledger", "measures nothing")]
)
def test_a_gate_that_nothing_measures_has_no_metric(monkeypatch: pytest.MonkeyPatch, module: str, told: str) -> None:
    monkeypatch.setitem(run.MEASURES, "PRF-04", module)
    found = missing(checked(), "PRF-04")
    assert found.startswith(f"no metric: {module} ")
    assert told in found


def test_the_owners_table_says_where_each_concern_is_implemented(home: Path) -> None:
    write_lever(home / "levers" / "scheduler", id="LEV-05")
    rows = {row["subsystem"]: row for row in checked().document["owners"]}
    assert rows["Cold-start and p99 gates"]["places"] == [
        "gates/prf_01", "prfpipe.gates.cold_start", "gates/prf_02", "prfpipe.gates.churn",
    ]  # fmt: skip
    assert (rows["Scheduler tuning"]["places"], rows["Scheduler tuning"]["track"]) == (["levers/scheduler"], "10.15")
    assert rows["Lockstep harness optimization"]["places"] == ["LEV-02: not here"]
    assert "Scheduler tuning" in prfpipe("doctrine").out
