"""PRF-03: overheads of small levers are measured and judged; the runtime's own lever has its instruments really on."""

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prfpipe.errors import GateError, HostError, SubjectError
from prfpipe.gates import one_off
from prfpipe.gates.overhead import open_measurement
from prfpipe.gates.overhead_rule import MOST_SECONDS_SHOWN, Rule
from prfpipe.gates.spec import Gate, load_gate
from prfpipe.lever import load_lever
from prfpipe.models import Effort, GateReport, Scenario, TreeRecord
from prfpipe.prove import conformance
from prfpipe.prove.stand import Stand
from tests.support.gate_runs import answer_of, context_of, failure_of, gate_of, report_of
from tests.support.lever_modules import load_modules

FOLDER = Path(__file__).parents[2] / "gates" / "prf_03_overhead"

BASELINE = """
from helper import work

class Subject:
    def __init__(self, params, workdir):
        self.times = params.get("times", 1)

    def operate(self, number):
        return [number, work(2000 * self.rounds())]

    def rounds(self):
        return 1
"""
CANDIDATE = """
import baseline

class Subject(baseline.Subject):
    def __init__(self, params, workdir):
        super().__init__(params, workdir)
        self.on = params.get("instruments", ["one", "other"])

    def rounds(self):
        return self.times if len(self.on) == 2 else 1

    def operate(self, number):
        {operate}
        return super().operate(number)
"""
WORKLOAD = """
import itertools, json

def operations(params, seed):
    return itertools.count(seed % 1000)

def canonical(result):
    return json.dumps(result[0]).encode()

def edge_cases(params):
    return [("zero", [0])]
"""
HELPER = """
def work(count):
    total = 0
    for number in range(count):
        total += number
    return total
"""
ONE_OFF = 'import json, helper; print(json.dumps({"key load": 1500, "parsing": helper.work(3)}))'
OUTSIDE = {"outside": "it takes less time than one wait for the disk"}
BUDGETS = {"same": 300.0, "slow": 5.0}


def gate(
    tmp_path: Path,
    budgets: dict[str, float] | None = None,
    *,
    operate: str = "pass",
    expected: int = 7,
    one_off: str = "",
    instruments: tuple[str, ...] = (),
    requires: tuple[str, ...] = (),
    times: dict[str, int] | None = None,
    **keys: Any,
) -> Gate:
    """A gate on a lever of three hot paths: `same` costs nothing when it is on, `slow` and `outside` four times."""
    budgets = budgets or BUDGETS
    change = {"date": "2026-11-23", "reason": "the figure of the doctrine, as first written", "out_of_scope": OUTSIDE}
    budgets_by_profile = dict.fromkeys(("dev_local", "ci_dev", "enterprise"), budgets)
    keys = {"out_of_scope": OUTSIDE, "changes": [{**change, "set": budgets_by_profile}], **keys}
    params = {"beside": {"help": "../help"}, "instruments": instruments, "operations": {"slow": "some work"}}
    beside = tmp_path / "help"
    beside.mkdir()
    (beside / "unused.py").write_text("")
    lever = {
        "id": "TEST-03", "title": "Off and on", "owner_track": "0.0", "claim": "On is cheap.", "risk": "It is not.",
        "expected_speedup": [1, 1], "optimized_path": ["candidate.py"], "workload": "workload.py",
        "variants": {"baseline": {"python": "baseline.py"}, "candidate": {"python": "candidate.py"}},
        "requires": requires, "work": "memory",
        "scenarios": {
            "same": {"primary": True},
            "slow": {"params": {"times": (times or {}).get("slow", 4)}},
            "outside": {"params": {"times": 4}},
        },
    }  # fmt: skip
    files = {
        "lever.yaml": json.dumps(lever),
        "baseline.py": BASELINE,
        "candidate.py": CANDIDATE.format(operate=operate),
        "workload.py": WORKLOAD,
        "helper.py": HELPER,
        "one_off.py": one_off,
    }
    if one_off:
        params |= {"one_off": "one_off.py", "one_off_runs": 2}
    made = gate_of(
        tmp_path / "gate",
        files,
        budgets,
        **{"id": "PRF-03", "subject": {"lever": "lever.yaml"}, "params": params, **keys},
    )
    case = {"name": "seven", "params": {}, "operations": [7], "expected": [[expected, 0]]}
    (made.root / "conformance").mkdir()
    (made.root / "conformance" / "case.json").write_text(json.dumps(case))
    return made


def states(report: GateReport) -> dict[str, str]:
    return {check.subject: check.state for check in report.checks}


def rows(report: GateReport, title: str) -> dict[str, tuple[str, ...]]:
    (table,) = (table for table in report.tables if table.title == title)
    return {row[0]: row[1:] for row in table.rows}


def unbiased(made: Gate, tmp_path: Path) -> tuple[int, GateReport]:
    """One A/A control in twenty differs by chance and keeps its path open, as it has to; such a run is made again."""
    for _ in range(5):
        code, report = answer_of(made, tmp_path, samples=8, effort=Effort.QUICK)
        assert isinstance(report, GateReport)
        if not any("two copies of the baseline differ" in check.message for check in report.checks):
            break
    return code, report


def test_flushes_into_memory_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = gate(tmp_path)
    file = made.root / "lever.yaml"
    file.write_text(json.dumps({**json.loads(file.read_text()), "work": "disk"}))
    monkeypatch.setattr("prfpipe.host.is_in_memory", lambda path: True)
    with pytest.raises(HostError, match="lies in memory, where a flush of the audit log costs nothing") as refused:
        open_measurement(context_of(made, tmp_path))
    assert "TMPDIR" in refused.value.hint


@pytest.mark.slow
def test_a_path_over_its_budget_fails_and_its_cost_is_explained(tmp_path: Path) -> None:
    code, report = unbiased(gate(tmp_path, one_off=ONE_OFF, instruments=("one", "other")), tmp_path)
    assert code == 1
    found = states(report)
    # On a busy machine so few samples may leave open that nothing was added.
    assert found.pop("same") != "fail"
    assert found == {"slow": "fail", "outside": "out-of-scope"}
    slow = next(check for check in report.checks if check.subject == "slow")
    assert slow.value > 100
    assert slow.low is not None
    assert slow.low > 5
    assert slow.flamegraph
    assert rows(report, "Paid once") == {"key load": ("1.5 µs",), "parsing": ("0.0 µs",)}
    assert rows(report, "What one operation is")["slow"][2] == "some work"
    justified = {path: row[-1] for path, row in rows(report, "Tails and justification (ART-05)").items()}
    assert justified["slow"] == "missing: gate.yaml gives none"
    assert justified["outside"] == OUTSIDE["outside"]
    _, _, one, other = ("slow", *rows(report, "Cost by instrument")["slow"])
    assert float(one.split()[0]) < 100 > float(other.split()[0])


def test_too_few_invocations_leave_the_answer_open(tmp_path: Path) -> None:
    code, report = answer_of(gate(tmp_path), tmp_path, samples=1, effort=Effort.QUICK)
    assert isinstance(report, GateReport)
    assert code == 3
    assert states(report) == {"same": "undecided", "slow": "undecided", "outside": "out-of-scope"}


def test_a_path_is_measured_for_as_long_as_was_asked_for_and_what_is_only_shown_no_longer(tmp_path: Path) -> None:
    made = gate(tmp_path)
    lever = load_lever(made.root).spec
    tree = TreeRecord(files={}, digest="0" * 64, changed_files=(), outside_path=())
    context = context_of(made, tmp_path, seconds=1800.0)
    rule = Rule(context, lever, tree, 1)
    _, slow, outside = lever.scenarios
    assert rule.plan(slow).rule.seconds == rule.seconds(slow) == 1800
    assert rule.seconds(outside) == MOST_SECONDS_SHOWN
    effort = replace(context, options=replace(context.options, seconds=None, effort=Effort.RIGOROUS))
    assert Rule(effort, lever, tree, 1).seconds(slow) == 900


def test_other_results_with_instruments_on_are_never_a_pass(tmp_path: Path) -> None:
    found = report_of(gate(tmp_path, operate="number += number % 5 == 4"), tmp_path, samples=6, effort=Effort.QUICK)
    assert states(found)["same"] == "undecided"
    assert "different outputs" in found.checks[0].message


def test_other_results_on_a_path_that_is_out_of_scope_keep_every_answer_open(tmp_path: Path) -> None:
    made = gate(tmp_path, operate="number += self.times == 4 and number % 5 == 4", times={"slow": 1})
    found = report_of(made, tmp_path, samples=6, effort=Effort.QUICK)
    assert states(found) == {"same": "undecided", "slow": "undecided", "outside": "out-of-scope"}
    assert "results differ from arm to arm, on outside" in found.checks[0].message
    assert "different outputs" in found.checks[2].message


def test_what_cannot_be_described_costs_no_answer(tmp_path: Path) -> None:
    made = gate(tmp_path, one_off="raise SystemExit(3)", instruments=("one",))
    _, report = answer_of(made, tmp_path, samples=1, effort=Effort.QUICK)
    assert isinstance(report, GateReport)
    assert rows(report, "Cost by instrument")
    assert any("was not measured to its end: one_off.py failed" in note for note in report.notes)


def test_a_disk_that_is_full_when_all_is_judged_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(one_off, "costs", full)
    report = report_of(gate(tmp_path, one_off=ONE_OFF), tmp_path, samples=1, effort=Effort.QUICK)
    assert any("No space left on device" in note for note in report.notes)


def test_a_measuring_that_fails_keeps_the_samples_of_every_path_until_then(tmp_path: Path) -> None:
    made = gate(tmp_path, operate="1 / (self.times < 4 or number < 0)")
    failure = failure_of(made, tmp_path, samples=1, effort=Effort.QUICK)
    assert any("what was measured until then" in note for note in failure.notes)


def test_a_conformance_case_that_fails_is_never_a_pass(tmp_path: Path) -> None:
    found = report_of(gate(tmp_path, expected=8), tmp_path, samples=1, effort=Effort.QUICK)
    assert "baseline fails the conformance case `seven`" in found.checks[0].message


def test_without_conformance_cases_nothing_is_measured(tmp_path: Path) -> None:
    made = gate(tmp_path)
    (made.root / "conformance" / "case.json").unlink()
    assert "no conformance cases" in failure_of(made, tmp_path, samples=1, effort=Effort.QUICK).message


def test_a_variant_that_raises_is_nothing_measured(tmp_path: Path) -> None:
    failure_of(gate(tmp_path, operate="raise RuntimeError('no log')"), tmp_path, samples=1, effort=Effort.QUICK)


@pytest.mark.parametrize("budgets", [{"same": 5.0}, {"same": 5.0, "slow": 5.0, "gone": 5.0}])
def test_paths_and_budgets_must_be_the_same_set(tmp_path: Path, budgets: dict[str, float]) -> None:
    failure_of(gate(tmp_path, budgets), tmp_path, samples=1, effort=Effort.QUICK)


@pytest.mark.parametrize(
    "source", ["raise SystemExit(3)", "print('[1]')", "print('{}')", "print('{\"key\": 1.5}')", "print('{')", "pass"]
)
def test_one_off_costs_that_cannot_be_told_are_not_left_out(tmp_path: Path, source: str) -> None:
    bench = open_measurement(context_of(gate(tmp_path, one_off=source), tmp_path)).bench
    with pytest.raises(SubjectError, match=r"one_off\.py"):
        one_off.costs(bench.trees["baseline"], "one_off.py", 1, bench)


def test_a_lever_whose_engine_is_not_installed_is_nothing_measured(tmp_path: Path) -> None:
    found = failure_of(gate(tmp_path, requires=("no-such-engine==1.0",)), tmp_path)
    assert "no-such-engine==1.0" in str(found)


def test_a_subject_that_is_no_lever_is_refused(tmp_path: Path) -> None:
    made = gate(tmp_path, subject={"python": "baseline.py"})
    with pytest.raises(GateError, match="its subject is a lever"):
        open_measurement(context_of(made, tmp_path))


@pytest.mark.parametrize("params", [{"besides": {}}, {"beside": {"x": "../nowhere"}}, {"one_off_runs": 0}])
def test_params_that_mean_nothing_are_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    with pytest.raises(GateError, match=r"params\."):
        open_measurement(context_of(gate(tmp_path, params=params), tmp_path))


def test_what_stands_beside_the_lever_is_in_its_tree(tmp_path: Path) -> None:
    measured = open_measurement(context_of(gate(tmp_path), tmp_path))
    assert (measured.tree / "help" / "unused.py").is_file()
    assert (measured.tree / "candidate.py").is_file()


# ---- the runtime's own lever ----------------------------------------------------------------------------


def test_every_hot_path_has_a_budget_of_five_percent_or_a_reason() -> None:
    spec, lever = load_gate(FOLDER).spec, load_lever(FOLDER).spec
    paths = {scenario.name for scenario in lever.scenarios}
    for budgets in spec.budgets.values():
        assert set(budgets) | set(spec.out_of_scope) == paths
        assert set(budgets.values()) == {5}
    assert set(spec.params["operations"]) == paths
    assert {scenario.params["path"] for scenario in lever.scenarios} == {
        scenario.params["path"] for scenario in lever.scenarios if scenario.name not in spec.out_of_scope
    }


def test_each_path_has_a_conformance_case_for_one_client_and_where_it_is_busy_for_two() -> None:
    cases = [json.loads(path.read_bytes()) for path in (FOLDER / "conformance").glob("*.json")]
    proven = {
        (case["params"]["path"], len(operation["turns"]) > 1) for case in cases for operation in case["operations"]
    }
    measured = {(item.params["path"], item.params.get("turns", 1) > 1) for item in load_lever(FOLDER).spec.scenarios}
    assert proven == measured


def test_both_variants_of_the_runtime_pass_the_conformance_cases(tmp_path: Path) -> None:
    measured = open_measurement(context_of(load_gate(FOLDER), tmp_path))
    scratch = tmp_path / "proof"
    scratch.mkdir()
    stand = Stand(measured.spec, measured.tree, scratch, 1, 60.0, lambda text: None)
    with stand.workload(measured.spec.primary.params) as workload:
        results = conformance.run(stand, workload, conformance.load(measured.tree))
    assert [case.detail for result in results for case in result.cases if not case.passed] == []


def test_a_path_of_several_turns_is_also_measured_one_turn_at_a_time() -> None:
    """A run of turns does not hide what a single one waits for the disk, and no turn does more than was declared."""
    scenarios = {scenario.name: scenario.params for scenario in load_lever(FOLDER).spec.scenarios}
    busy = {name: params for name, params in scenarios.items() if params.get("turns", 1) > 1}
    assert set(busy) == {"hostcalls-busy", "policies-busy", "scheduler-busy", "extensions-busy"}
    for name, params in busy.items():
        assert {**scenarios[name.removesuffix("-busy")], "turns": 4} == params
    sizes = {name: params["turn"] for name, params in busy.items()}
    assert sizes == {"hostcalls-busy": 12, "policies-busy": 4, "scheduler-busy": 10, "extensions-busy": 1}


def small(scenario: Scenario) -> dict[str, Any]:
    """A scenario's parameters with little to do."""
    lever = {**scenario.params["lever"]}
    lever |= {
        name: few for name, few in {"modules": 10, "fixtures": 50, "planted": 2, "calls": 20}.items() if name in lever
    }
    size = {name: min(scenario.params.get(name, 1), 2) for name in ("turn", "turns")}
    return {**scenario.params, **size, "lever": lever}


@pytest.mark.parametrize("scenario", load_lever(FOLDER).spec.scenarios, ids=lambda scenario: scenario.name)
def test_on_and_off_give_the_same_results_and_only_on_leaves_a_record(scenario: Scenario, tmp_path: Path) -> None:
    modules = load_modules(FOLDER, "workload", "baseline", "candidate")
    params, found, records = small(scenario), [], []
    operations = [operation for operation, _ in zip(modules.workload.operations(params, 3), range(2), strict=False)]
    for variant in (modules.baseline, modules.candidate):
        workdir = tmp_path / variant.__name__
        workdir.mkdir()
        subject = variant.Subject(params, workdir)  # profilers make it before anything is prepared
        results = []
        for operation in operations:
            modules.workload.prepare(operation, params, workdir)
            results.append(modules.workload.canonical(subject.operate(operation)))
        subject.close()
        found.append(results)
        records.append((workdir / "state" / "audit.log").read_bytes().count(b"\n"))
    assert found[0] == found[1]
    assert records[0] == 0
    assert records[1] == 2 * params["turns"]


@pytest.mark.parametrize("scenario", load_lever(FOLDER).spec.scenarios, ids=lambda scenario: scenario.name)
def test_with_instruments_on_a_stranger_gets_no_turn_on_any_path(scenario: Scenario, tmp_path: Path) -> None:
    modules = load_modules(FOLDER, "workload", "candidate")
    params = small(scenario)
    operation = next(modules.workload.operations(params, 3))
    modules.workload.prepare(operation, params, tmp_path)
    subject = modules.candidate.Subject(params, tmp_path)
    with pytest.raises(Exception, match="may not"):
        subject.operate(operation | {"turns": [turn | {"by": "stranger"} for turn in operation["turns"]]})
    subject.close()
