"""gate.yaml: strict, and its budgets are what the ledger of reasoned changes adds up to."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from prfpipe.errors import GateError
from prfpipe.gates import find_gate, ledger, list_gates, load_gate
from prfpipe.gates.check import check_gates
from prfpipe.models import DeploymentProfile, GateSpec
from tests.support.gates import PROFILES, gate_yaml, sealed, write_gate

LOWER = "the runtime became faster, and what was won is to be kept"
TODAY = date(2026, 11, 23)


def set_all(**budgets: float) -> dict[str, dict[str, float]]:
    return {profile: dict(budgets) for profile in PROFILES}


def change(reason: str = LOWER, day: str = "2026-11-20", **keys: Any) -> dict[str, Any]:
    return {"date": day, "reason": reason, **keys}


def changed(**keys: Any) -> dict[str, Any]:
    """A gate whose one budget went from 100 to 50 ms, with its entry."""
    first = gate_yaml()["changes"][0]
    return gate_yaml({"work": 50.0}, version=2, changes=[first, change(set=set_all(work=50.0))], **keys)


def refusal(folder: Path, data: dict[str, Any]) -> str:
    with pytest.raises(GateError) as caught:
        load_gate(write_gate(folder, data))
    return str(caught.value)


def test_a_gate_is_read_with_its_unit_from_the_doctrine(tmp_path: Path) -> None:
    gate = load_gate(write_gate(tmp_path / "gate", gate_yaml()))
    assert (gate.spec.id, gate.spec.unit, gate.spec.warn_at_percent) == ("PRF-02", "ms", 80.0)
    assert load_gate(write_gate(tmp_path / "other", gate_yaml(id="PRF-03"))).spec.unit == "percent"


def test_a_changed_budget_with_its_entry_is_accepted(tmp_path: Path) -> None:
    spec = load_gate(write_gate(tmp_path, changed())).spec
    found = ledger.in_force(spec, DeploymentProfile.CI_DEV, TODAY)
    assert found["work"].budget == 50.0


def test_a_changed_budget_without_an_entry_is_refused_at_its_line(tmp_path: Path) -> None:
    data = gate_yaml()
    data["budgets"]["ci_dev"]["work"] = 250.0
    message = refusal(tmp_path, data)
    assert "budgets.ci_dev.work: 250.0 here, 100.0 by the changes" in message
    line = int(message.split("gate.yaml:")[1].split(":")[0])
    assert '"work": 250.0' in (tmp_path / "gate.yaml").read_text().splitlines()[line - 1]


def test_a_removed_budget_without_an_entry_is_refused(tmp_path: Path) -> None:
    data = gate_yaml({"work": 100.0, "rest": 5.0})
    for profile in PROFILES:
        del data["budgets"][profile]["rest"]
    assert "no budget here, 5.0 by the changes" in refusal(tmp_path, data)


def test_a_profile_taken_out_without_an_entry_is_refused(tmp_path: Path) -> None:
    data = gate_yaml()
    del data["budgets"]["enterprise"]
    assert "budgets.enterprise.work" in refusal(tmp_path, data)


@pytest.mark.parametrize("reason", ["", "faster", "x" * 40, "faster faster faster faster"])
def test_a_change_without_a_real_reason_is_refused(tmp_path: Path, reason: str) -> None:
    data = changed()
    data["changes"][1]["reason"] = reason
    assert "changes.1.reason" in refusal(tmp_path, data)


def _nothing(data: dict[str, Any]) -> None:
    data["changes"][1].pop("set")


def _no_such_day(data: dict[str, Any]) -> None:
    data["changes"][1]["date"] = "2026-02-30"


def _back_in_time(data: dict[str, Any]) -> None:
    data["changes"][1]["date"] = "2025-01-01"


def _old_version(data: dict[str, Any]) -> None:
    data["version"] = 1


def _no_changes(data: dict[str, Any]) -> None:
    data["changes"] = []


def _no_budgets(data: dict[str, Any]) -> None:
    data["budgets"] = {}


def _zero(data: dict[str, Any]) -> None:
    data["budgets"]["ci_dev"]["work"] = 0


def _negative(data: dict[str, Any]) -> None:
    data["budgets"]["ci_dev"]["work"] = -1.0


def _other_profile(data: dict[str, Any]) -> None:
    data["budgets"]["staging"] = {"work": 1.0}


def _other_gate(data: dict[str, Any]) -> None:
    data["id"] = "PRF-05"


def _unknown_key(data: dict[str, Any]) -> None:
    data["tolerance"] = 10


def _leaves_folder(data: dict[str, Any]) -> None:
    data["subject"] = {"python": "../subject.py"}


def _empty_command(data: dict[str, Any]) -> None:
    data["subject"] = {"command": [""]}


def _warn_never(data: dict[str, Any]) -> None:
    data["warn_at_percent"] = 101


def _option_as_requirement(data: dict[str, Any]) -> None:
    data["requires"] = ["--index-url=http://h.example"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_nothing, "an entry that changes nothing"),
        (_no_such_day, "no day 2026-02-30"),
        (_back_in_time, "stands after"),
        (_old_version, "`changes` has 2 entries"),
        (_no_changes, "changes"),
        (_no_budgets, "budgets"),
        (_zero, "budgets.ci_dev.work"),
        (_negative, "budgets.ci_dev.work"),
        (_other_profile, "budgets.staging"),
        (_other_gate, "id"),
        (_unknown_key, "tolerance"),
        (_leaves_folder, "must be a path inside the gate's folder"),
        (_empty_command, "subject.command"),
        (_warn_never, "warn_at_percent"),
        (_option_as_requirement, "use NAME or NAME==VERSION"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_what_does_not_fit_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], None], words: str) -> None:
    data = changed()
    spoil(data)
    assert words in refusal(tmp_path, data)


def test_a_subject_budgeted_in_one_profile_only_is_refused(tmp_path: Path) -> None:
    data = gate_yaml()
    data["budgets"]["ci_dev"]["more"] = 5.0
    data["changes"][0]["set"]["ci_dev"]["more"] = 5.0
    assert "more has none here, but elsewhere it has" in refusal(tmp_path, data)


def test_out_of_scope_needs_an_entry_and_is_one_or_the_other(tmp_path: Path) -> None:
    why = "the path takes 80 us, one decision alone takes 300 us"
    data = gate_yaml(out_of_scope={"hostcall": why})
    assert "out_of_scope.hostcall: not as by the changes" in refusal(tmp_path, data)
    data["changes"][0]["out_of_scope"] = {"hostcall": why}
    spec = load_gate(write_gate(tmp_path, data)).spec
    found = ledger.in_force(spec, DeploymentProfile.DEV_LOCAL, TODAY)
    assert (found["hostcall"].budget, found["hostcall"].out_of_scope) == (None, why)


def test_a_subject_leaves_and_comes_back_by_entries() -> None:
    why = "the path takes 80 us, one decision alone takes 300 us"
    first = change(set=set_all(hostcall=5.0))
    gone = change(out_of_scope={"hostcall": why})
    spec = _spec([first, gone], budgets={}, out_of_scope={"hostcall": why})
    assert ledger.fold(spec.changes) == ({}, {"hostcall": why})
    spec = _spec([first, gone, first], budgets=set_all(hostcall=5.0))
    assert ledger.fold(spec.changes)[1] == {}
    spec = _spec([first, change(remove={"ci_dev": ["hostcall"]})], budgets={})
    assert DeploymentProfile.CI_DEV not in ledger.fold(spec.changes)[0]


def _spec(changes: list[dict[str, Any]], **keys: Any) -> GateSpec:
    return GateSpec.model_validate_json(json.dumps(gate_yaml() | {"version": len(changes), "changes": changes} | keys))


def test_no_budgets_for_the_profile_is_refused() -> None:
    entry = change(set={"dev_local": {"work": 5.0}})
    spec = _spec([entry], budgets={"dev_local": {"work": 5.0}})
    with pytest.raises(GateError, match="no budgets for the profile enterprise: it has dev_local"):
        ledger.in_force(spec, DeploymentProfile.ENTERPRISE, TODAY)


# ---- what is measured ---------------------------------------------------------------------------------------------

LEVER = {"scenarios": {"compat": {"primary": True, "params": {"modules": 1000}}}, "non_inferiority_percent": 5}
MEASURED = gate_yaml(params={"cases": {"cold": {"modules": 1000}}}, requires=["pluggy==1.7.0"])


def _fewer(data: dict[str, Any]) -> None:
    data["params"]["cases"]["cold"]["modules"] = 10


def _no_params(data: dict[str, Any]) -> None:
    del data["params"]


def _later_warning(data: dict[str, Any]) -> None:
    data["warn_at_percent"] = 99


def _other_subject(data: dict[str, Any]) -> None:
    data["subject"] = {"command": ["true"]}


def _other_engine(data: dict[str, Any]) -> None:
    data["requires"] = []


@pytest.mark.parametrize("weaken", [_fewer, _no_params, _later_warning, _other_subject, _other_engine])
def test_what_is_measured_cannot_change_without_an_entry(
    tmp_path: Path, weaken: Callable[[dict[str, Any]], None]
) -> None:
    data = sealed(json.loads(json.dumps(MEASURED)))
    load_gate(write_gate(tmp_path, data))
    weaken(data)
    message = refusal(tmp_path, data)
    assert re.search(r"gate\.yaml:\d+: .*not what `changes` name: .* needs an entry", message)
    told = re.findall(r'`measures: \{gate.yaml: "([0-9a-f]{16})"\}`', message)
    entry = change("less of it is enough, as was shown in November", measures={"gate.yaml": told[0]})
    load_gate(write_gate(tmp_path, data | {"version": 2, "changes": [*data["changes"], entry]}))


def test_the_refusal_stands_at_the_params(tmp_path: Path) -> None:
    data = sealed(MEASURED)
    message = refusal(tmp_path, data | {"params": {}})
    line = int(message.split("gate.yaml:")[1].split(":")[0])
    assert '"params"' in (tmp_path / "gate.yaml").read_text().splitlines()[line - 1]


def test_a_gate_whose_ledger_does_not_name_what_is_measured_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text(json.dumps(gate_yaml()))
    with pytest.raises(GateError, match="not what `changes` name"):
        load_gate(tmp_path)


def test_the_same_values_written_otherwise_are_no_change(tmp_path: Path) -> None:
    data = sealed(MEASURED)
    write_gate(tmp_path, dict(reversed(data.items())) | {"warn_at_percent": 80, "title": "Another title"})
    load_gate(tmp_path)


def of_lever(folder: Path, lever: object, **keys: Any) -> Path:
    """A gate whose ledger names `LEVER`, on this lever.yaml."""
    data = sealed(gate_yaml(id="PRF-03", subject={"lever": "lever.yaml"}), **{"lever.yaml": LEVER})
    write_gate(folder, data | keys)
    (folder / "lever.yaml").write_text("# a comment\n" + json.dumps(lever))
    return folder


def test_loads_and_margins_of_a_lever_cannot_change_without_an_entry(tmp_path: Path) -> None:
    load_gate(of_lever(tmp_path, LEVER))
    with pytest.raises(GateError) as caught:
        load_gate(of_lever(tmp_path, LEVER | {"non_inferiority_percent": 50}))
    told = re.findall(r'lever.yaml: not what .* `measures: (\{lever.yaml: "[0-9a-f]{16}"\})`', str(caught.value))
    entry = change("a margin of its own, as the ledger now says", measures=yaml.safe_load(told[0]))
    changes = json.loads((tmp_path / "gate.yaml").read_text())["changes"]
    load_gate(of_lever(tmp_path, LEVER | {"non_inferiority_percent": 50}, version=2, changes=[*changes, entry]))


def test_a_lever_that_is_missing_is_for_the_run_to_see(tmp_path: Path) -> None:
    of_lever(tmp_path, LEVER)
    (tmp_path / "lever.yaml").unlink()
    assert load_gate(tmp_path).spec.id == "PRF-03"


def test_a_lever_that_is_no_yaml_is_refused_at_its_line(tmp_path: Path) -> None:
    of_lever(tmp_path, LEVER)
    (tmp_path / "lever.yaml").write_text("a: 1\na: 2\n")
    with pytest.raises(GateError, match=r"lever\.yaml:2: the key 'a' stands twice"):
        load_gate(tmp_path)


def test_a_digest_that_yaml_takes_for_a_number_is_told(tmp_path: Path) -> None:
    assert "changes.0.measures.gate.yaml" in refusal(
        tmp_path, gate_yaml(changes=[change(set=set_all(work=100.0), measures={"gate.yaml": 1234567890123456})])
    )


# ---- overrides ------------------------------------------------------------------------------------------


def override(**keys: Any) -> dict[str, Any]:
    return {
        "profile": "ci_dev",
        "subject": "work",
        "budget": 300.0,
        "until": "2026-12-31",
        "reason": "the runners are replaced in December",
        **keys,
    }


@pytest.mark.parametrize(("today", "budget"), [(date(2026, 12, 31), 300.0), (date(2027, 1, 1), 100.0)])
def test_an_override_counts_up_to_its_last_day(tmp_path: Path, today: date, budget: float) -> None:
    spec = load_gate(write_gate(tmp_path, gate_yaml(overrides=[override()]))).spec
    found = ledger.in_force(spec, DeploymentProfile.CI_DEV, today)["work"]
    assert (found.budget, found.standing) == (budget, 100.0)
    assert ("replaced in December" in found.override) == (budget == 300.0)
    assert ledger.in_force(spec, DeploymentProfile.DEV_LOCAL, today)["work"].budget == 100.0


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"subject": "nothing"}, "ci_dev has no budget for nothing"),
        ({"until": "2026-13-01"}, "no day 2026-13-01"),
        ({"reason": "please"}, "reason"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    assert words in refusal(tmp_path, gate_yaml(overrides=[override(**keys)]))


def test_two_overrides_of_one_budget_are_refused(tmp_path: Path) -> None:
    assert "overridden twice" in refusal(tmp_path, gate_yaml(overrides=[override(), override()]))


# ---- the folder of the gates ----------------------------------------------------------------------------


def test_gates_are_found_by_id_and_by_folder(tmp_path: Path) -> None:
    write_gate(tmp_path / "two", gate_yaml())
    write_gate(tmp_path / "one", gate_yaml(id="PRF-01"))
    assert [gate.spec.id for gate in list_gates(tmp_path)] == ["PRF-01", "PRF-02"]
    assert find_gate("PRF-01", tmp_path).root == (tmp_path / "one").resolve()
    assert find_gate(str(tmp_path / "two"), Path("nowhere")).spec.id == "PRF-02"
    with pytest.raises(GateError, match=r"no gate 'PRF-04'.*PRF-01, PRF-02"):
        find_gate("PRF-04", tmp_path)


def test_no_folder_stands_in_for_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gate(tmp_path / "gates" / "one", gate_yaml(id="PRF-01"))
    write_gate(tmp_path / "PRF-01", gate_yaml(id="PRF-02"))
    monkeypatch.chdir(tmp_path)
    assert find_gate("PRF-01", tmp_path / "gates").spec.id == "PRF-01"
    assert find_gate("./PRF-01", tmp_path / "gates").spec.id == "PRF-02"


def test_a_lever_that_the_measuring_would_not_read_is_refused(tmp_path: Path) -> None:
    write_gate(tmp_path, gate_yaml(id="PRF-03", subject={"lever": "decoy.yaml"}))
    with pytest.raises(GateError, match=r"gate\.yaml:\d+: subject\.lever: 'decoy\.yaml' must be a lever\.yaml"):
        load_gate(tmp_path)


def test_two_folders_of_one_gate_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_gate(tmp_path / name, gate_yaml())
    with pytest.raises(GateError, match="both PRF-02"):
        list_gates(tmp_path)


def test_aliases_and_double_keys_are_refused(tmp_path: Path) -> None:
    write_gate(tmp_path, gate_yaml())
    for text in ("id: &x PRF-02\ntitle: *x\n", "id: PRF-01\nid: PRF-02\n", "- a\n"):
        (tmp_path / "gate.yaml").write_text(text)
        with pytest.raises(GateError, match=r"gate\.yaml:\d"):
            load_gate(tmp_path)


@pytest.mark.parametrize("title", ['"\\ud800"', '"\\U00110000"', "[" * 250 + "]" * 250])
def test_what_yaml_takes_and_no_gate_can_hold_is_refused_at_its_file(tmp_path: Path, title: str) -> None:
    write_gate(tmp_path, gate_yaml(title="PLACE"))
    text = (tmp_path / "gate.yaml").read_text().replace('"PLACE"', "PLACE")
    (tmp_path / "gate.yaml").write_text(text.replace("PLACE", title))
    with pytest.raises(GateError, match=r"gate\.yaml:\d"):
        load_gate(tmp_path)


# ---- a ledger against its past --------------------------------------------------------------------------


def commit(folder: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@h.example", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "before")


def test_a_ledger_that_grew_since_a_commit_is_accepted(tmp_path: Path) -> None:
    write_gate(tmp_path / "churn", gate_yaml())
    commit(tmp_path)
    write_gate(tmp_path / "churn", changed())
    write_gate(tmp_path / "new", gate_yaml(id="PRF-01"))
    assert [item.problem for item in check_gates(tmp_path, "HEAD")] == ["", ""]


def test_a_ledger_whose_past_was_rewritten_is_refused(tmp_path: Path) -> None:
    write_gate(tmp_path / "churn", gate_yaml())
    commit(tmp_path)
    write_gate(tmp_path / "churn", gate_yaml({"work": 900.0}))
    assert [item.problem for item in check_gates(tmp_path)] == [""]
    (found,) = check_gates(tmp_path, "HEAD")
    assert "changes.0 (2026-11-01) is not what it was: entries are added, never changed" in found.problem


def test_what_is_measured_cannot_change_by_rewriting_the_ledgers_past(tmp_path: Path) -> None:
    write_gate(tmp_path / "churn", MEASURED)
    commit(tmp_path)
    fewer = json.loads(json.dumps(MEASURED))
    _fewer(fewer)
    write_gate(tmp_path / "churn", fewer)
    assert [item.problem for item in check_gates(tmp_path)] == [""]
    (found,) = check_gates(tmp_path, "HEAD")
    assert "changes.0 (2026-11-01) is not what it was" in found.problem


def test_a_folder_that_was_renamed_has_the_ledger_that_it_had(tmp_path: Path) -> None:
    write_gate(tmp_path / "churn", gate_yaml())
    commit(tmp_path)
    (tmp_path / "churn").rename(tmp_path / "other")
    assert [item.problem for item in check_gates(tmp_path, "HEAD")] == [""]
    write_gate(tmp_path / "other", gate_yaml({"work": 900.0}))
    (found,) = check_gates(tmp_path, "HEAD")
    assert "changes.0 (2026-11-01) is not what it was" in found.problem


def test_the_folder_of_all_gates_that_was_renamed_has_the_ledgers_that_it_had(tmp_path: Path) -> None:
    """Also where another gate stood there already."""
    write_gate(tmp_path / "gates" / "churn", gate_yaml())
    write_gate(tmp_path / "budgets" / "cold", gate_yaml(id="PRF-01"))
    commit(tmp_path)
    (tmp_path / "gates" / "churn").rename(tmp_path / "budgets" / "churn")
    assert [item.problem for item in check_gates(tmp_path / "budgets", "HEAD")] == ["", ""]
    write_gate(tmp_path / "budgets" / "churn", gate_yaml({"work": 900.0}))
    (changed, _) = check_gates(tmp_path / "budgets", "HEAD")
    assert "against HEAD:gates/churn/gate.yaml: changes.0 (2026-11-01) is not what it was" in changed.problem


def test_a_commit_whose_gates_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_gate(tmp_path / "churn", gate_yaml())
    (tmp_path / "churn" / "gate.yaml").write_text("id: [")
    commit(tmp_path)
    write_gate(tmp_path / "churn", gate_yaml())
    with pytest.raises(GateError, match=r"^HEAD:churn/gate\.yaml:\d"):
        check_gates(tmp_path, "HEAD")


def test_a_ledger_from_before_it_named_what_is_measured_can_be_continued(tmp_path: Path) -> None:
    before = gate_yaml()
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn" / "gate.yaml").write_text(json.dumps(before))
    commit(tmp_path)
    measures = sealed(before)["changes"][0]["measures"]
    entry = change("what is measured is held as well from now on", measures=measures)
    write_gate(tmp_path / "churn", before | {"version": 2, "changes": [*before["changes"], entry]})
    assert [item.problem for item in check_gates(tmp_path, "HEAD")] == [""]


def test_a_name_that_is_no_text_in_the_commit_is_none_of_the_gates_business(tmp_path: Path) -> None:
    write_gate(tmp_path / "churn", gate_yaml())
    Path(os.fsdecode(bytes(tmp_path) + b"/latin-\xe9")).write_text("x")
    commit(tmp_path)
    assert [item.problem for item in check_gates(tmp_path, "HEAD")] == [""]


def test_a_commit_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_gate(tmp_path / "churn", gate_yaml())
    commit(tmp_path)
    with pytest.raises(GateError, match="no commit 'origin/none'"):
        check_gates(tmp_path, "origin/none")
    with pytest.raises(GateError, match="no gates under"):
        check_gates(tmp_path / "empty")
