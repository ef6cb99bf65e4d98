"""PRF-02's measuring: what is due when, that latencies count from there, that both arms are served alike."""

import random
from pathlib import Path
from typing import Any

import pytest

from prfpipe.errors import GateError
from prfpipe.gates import arrivals, churn, churn_tables
from prfpipe.gates.arrivals import ADD, REMOVE, Traffic
from prfpipe.gates.churn import Churn, open_measurement
from prfpipe.gates.churn_tables import Process, Served
from prfpipe.gates.spec import Gate
from prfpipe.models import GateReport
from tests.support.gate_runs import answer_of, context_of, failure_of, gate_of, report_of
from tests.support.subjects import wait_until_gone

MS = 1_000_000
KINDS = ("dispatch", "analysis", ADD, REMOVE)
GENEROUS = dict.fromkeys(KINDS, 60_000.0)
PARAMS: dict[str, Any] = {
    "extensions": 3,
    "cycle_ms": 6,
    "cycles": 5,
    "per_cycle": {"dispatch": 2, "analysis": 1},
    "warm_up": 1,
}
SUBJECT = """
import os, sys, time
{top}

def busy(ms):
    end = time.perf_counter() + ms / 1000
    while time.perf_counter() < end: pass

class Subject:
    def __init__(self, params, workdir):
        self.params, self.served, self.churned, self.there = params, 0, 0, params["extensions"]

    def prepare(self, kind, number):
        pass

    def operate(self, kind, number):
        self.served += 1
        if kind in ("register", "unregister"):
            self.churned += 1
            self.there += 1 if kind == "register" else -1
            return self.there
        {operate}
        return number

    def verify(self, kind, number, answer):
        return None if kind in ("register", "unregister") else str(answer).encode()

    def facts(self):
        return {{"extensions": self.there, "served": self.served}}

    def close(self):
        pass
"""


def churning(tmp_path: Path, operate: str = "", *, top: str = "", budgets: Any = GENEROUS, **params: Any) -> Gate:
    """A gate whose subject does `operate` for what does not come or go."""
    files = {"subject.py": SUBJECT.format(operate=operate or "pass", top=top)}
    return gate_of(tmp_path / "gate", files, budgets, id="PRF-02", params={**PARAMS, **params})


def measured(gate: Gate, tmp_path: Path) -> Churn:
    return open_measurement(context_of(gate, tmp_path))


# ---- what is behind ------------------------------------------------------------------------------------------


def test_a_pause_between_segments_forgives_nothing() -> None:
    """Service takes 12 of each 10 ms: three segments of two operations are behind as one of six would be."""
    begun, late = list[int](), 0
    for number in range(3):
        found, late = arrivals.back_to_back([(0, 12), (12, 24)], late, 20)
        begun += [20 * number + at for at in found]
    assert begun == [0, 12, 24, 36, 48, 60]
    assert late == 12


def test_who_has_time_left_is_behind_no_longer() -> None:
    assert arrivals.back_to_back([(0, 5), (10, 15)], 7, 20) == ([7, 12], 0)
    assert arrivals.back_to_back([(0, 5), (15, 16)], 0, 20) == ([0, 15], 0)


# ---- what is due ---------------------------------------------------------------------------------------------

TRAFFIC = Traffic(cycle_ns=10 * MS, cycles=20, per_cycle={"dispatch": 4, "analysis": 1})


def test_a_segment_is_a_function_of_its_seed() -> None:
    assert arrivals.segment(TRAFFIC, "churn", 3, 7) == arrivals.segment(TRAFFIC, "churn", 3, 7)
    assert arrivals.segment(TRAFFIC, "churn", 3, 7) != arrivals.segment(TRAFFIC, "churn", 3, 8)


def test_both_arms_have_the_same_traffic_but_for_what_comes_and_goes() -> None:
    static, under_churn = (arrivals.segment(TRAFFIC, arm, 0, 1) for arm in ("static", "churn"))
    assert static == [step for step in under_churn if step[1] not in {ADD, REMOVE}]
    assert len(under_churn) - len(static) == 2 * TRAFFIC.cycles


def test_each_cycle_has_its_share_and_stays_within_its_time() -> None:
    steps = arrivals.segment(TRAFFIC, "churn", 0, 1)
    assert [due for due, _, _ in steps] == sorted(due for due, _, _ in steps)
    for cycle in range(TRAFFIC.cycles):
        inside = [kind for due, kind, _ in steps if due // TRAFFIC.cycle_ns == cycle]
        assert sorted(inside) == ["analysis", *["dispatch"] * 4, ADD, REMOVE]


def test_what_comes_and_what_goes_stand_side_by_side_in_either_order() -> None:
    kinds = [kind for _, kind, _ in arrivals.segment(TRAFFIC, "churn", 0, 1)]
    pairs = [kinds[at : at + 2] for at in range(len(kinds)) if kinds[at] in {ADD, REMOVE}][::2]
    assert {tuple(pair) for pair in pairs} == {(ADD, REMOVE), (REMOVE, ADD)}


def test_numbers_go_on_from_segment_to_segment() -> None:
    numbers = [
        number for at in range(3) for _, kind, number in arrivals.segment(TRAFFIC, "churn", at, at) if kind == ADD
    ]
    assert numbers == list(range(3 * TRAFFIC.cycles))


@pytest.mark.parametrize(
    ("kinds", "cycles"), [(["dispatch"], 25), (["dispatch", ADD], 100), ([], 0), (["unknown"], 100)]
)
def test_cycles_are_as_many_as_the_rarest_kind_needs(kinds: list[str], cycles: int) -> None:
    assert TRAFFIC.cycles_for(100, kinds) == cycles


# ---- latencies -----------------------------------------------------------------------------------------------


def test_every_operation_has_its_latency_in_both_arms(tmp_path: Path) -> None:
    with measured(churning(tmp_path), tmp_path) as gate:
        gate.take(10, frozenset(KINDS))
        counts = {kind: len(values) for kind, values in gate.samples().items()}
        also = {name: len(values) for name, values in gate.also().items()}
        assert min(min(values) for values in gate.samples().values()) > 0
    assert counts == {"dispatch": 20, "analysis": 10, ADD: 10, REMOVE: 10}
    assert {name: count for name, count in also.items() if name.startswith("static/")} == {
        "static/dispatch": 20,
        "static/analysis": 10,
    }


def test_a_stall_is_in_all_that_was_due_meanwhile_and_not_in_one_operation_only(tmp_path: Path) -> None:
    # Cycles 0 to 19 warm up. In cycle 27 one operation stalls for 100 ms; a closed loop would have one slow sample.
    operate = "if kind == 'analysis' and self.churned and number == 27: busy(100)"
    with measured(churning(tmp_path, operate, cycle_ms=10, cycles=20), tmp_path) as gate:
        gate.take(20, frozenset(KINDS))
        served = gate.arms["churn"].served
    stalled = max(served, key=lambda item: item.service_ns)
    assert stalled.service_ns >= 100 * MS
    end = stalled.due_ns + stalled.latency_ns
    meanwhile = [item for item in served if stalled.due_ns < item.due_ns < end]
    assert len(meanwhile) >= 40  # ten cycles of five
    assert all(item.latency_ns >= end - item.due_ns for item in meanwhile)
    # Most were served in no time; a neighbour may have stalled one or the other as well.
    assert sorted(item.service_ns for item in meanwhile)[len(meanwhile) // 2] < 50 * MS


def test_a_latency_is_the_wait_and_the_service(tmp_path: Path) -> None:
    with measured(churning(tmp_path, "busy(1)"), tmp_path) as gate:
        gate.take(5, frozenset(KINDS))
        moments = [moment for moment in gate.timeline() if moment.subject == "analysis"]
        assert min(moment.latency_ns for moment in moments) >= MS
        assert min(gate.also()["service/analysis"]) >= MS
        assert all(
            whole >= service
            for whole, service in zip(gate.samples()["analysis"], gate.also()["service/analysis"], strict=True)
        )


def test_what_the_collector_takes_is_told_apart(tmp_path: Path) -> None:
    operate = "if kind == 'analysis': import gc; held = [[] for _ in range(50_000)]; gc.collect()"
    with measured(churning(tmp_path, operate), tmp_path) as gate:
        gate.take(5, frozenset(KINDS))
        arm = gate.arms["churn"]
    assert len(arm.pauses) >= 5
    analysis = [item for item in arm.served if item.kind == "analysis"]
    assert all(0 < item.collected_ns < item.service_ns for item in analysis)


def test_the_time_line_says_what_came_and_what_went_in_order(tmp_path: Path) -> None:
    with measured(churning(tmp_path), tmp_path) as gate:
        gate.take(10, frozenset(KINDS))
        moments = gate.timeline()
    assert {moment.kind for moment in moments} == {"add", "remove", "churn", "static"}
    assert [moment.at_ns for moment in moments] == sorted(moment.at_ns for moment in moments)
    assert {moment.subject for moment in moments if moment.kind == "add"} == {ADD}
    assert {moment.kind for moment in moments if not moment.judged} == {"static"}


def test_segments_of_the_arms_are_interleaved_in_changing_order(tmp_path: Path) -> None:
    with measured(churning(tmp_path, cycles=1), tmp_path) as gate:
        gate.take(16, frozenset(KINDS))
        firsts = {
            arm: [item.due_ns for item in running.served if item.kind == "analysis"]
            for arm, running in gate.arms.items()
        }
    before = [static < under for static, under in zip(firsts["static"], firsts["churn"], strict=True)]
    assert sum(before) == 8
    assert max(before.index(True), before.index(False)) <= 1


def test_only_what_is_undecided_is_asked_for_again(tmp_path: Path) -> None:
    with measured(churning(tmp_path), tmp_path) as gate:
        gate.take(10, frozenset(KINDS))
        gate.take(20, frozenset({"dispatch"}))  # two a cycle: ten cycles more
        assert len(gate.samples()[ADD]) == 20


# ---- answers ---------------------------------------------------------------------------------------------------


def test_slow_service_under_churn_fails_with_exit_code_1_and_is_profiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(churn, "PROFILED_S", 2.0)
    gate = churning(tmp_path, "if kind == 'analysis': busy(2)", budgets={**GENEROUS, "analysis": 1.0}, cycles=25)
    code, report = answer_of(gate, tmp_path, samples=100)
    assert code == 1
    assert isinstance(report, GateReport)
    (failing,) = [check for check in report.checks if check.state == "fail"]
    assert failing.subject == "analysis"
    assert failing.flamegraph.endswith(".svg")
    (stacks,) = (tmp_path / "reports").rglob("*.folded")
    assert "busy (" in stacks.read_text()


def test_too_few_cycles_leave_it_open_with_exit_code_3(tmp_path: Path) -> None:
    code, report = answer_of(churning(tmp_path), tmp_path, samples=5)
    assert code == 3
    assert isinstance(report, GateReport)
    assert {check.state for check in report.checks} == {"undecided"}


def test_a_missing_subject_measures_nothing(tmp_path: Path) -> None:
    gate = churning(tmp_path)
    (gate.root / "subject.py").unlink()
    assert "missing" in failure_of(gate, tmp_path, samples=5).message


def test_a_subsystem_without_a_budget_is_refused(tmp_path: Path) -> None:
    gate = churning(tmp_path, per_cycle={"dispatch": 1, "analysis": 1, "hostcall": 1})
    assert "hostcall" in failure_of(gate, tmp_path, samples=5).message


def test_a_budgeted_subsystem_that_is_not_measured_is_refused(tmp_path: Path) -> None:
    gate = churning(tmp_path, per_cycle={"dispatch": 1})
    assert "analysis" in failure_of(gate, tmp_path, samples=5).message


def test_other_answers_under_churn_than_without_are_refused(tmp_path: Path) -> None:
    gate = churning(tmp_path, "if kind == 'analysis' and self.churned: return -1")
    assert "analysis answers something else while" in failure_of(gate, tmp_path, samples=5).message


def test_a_subject_that_raises_ends_the_gate_with_its_message(tmp_path: Path) -> None:
    failed = failure_of(churning(tmp_path, "raise RuntimeError('lost its state')"), tmp_path, samples=5)
    assert "RuntimeError: lost its state" in failed.message


def test_a_subject_that_dies_ends_the_gate(tmp_path: Path) -> None:
    assert "went away" in failure_of(churning(tmp_path, "os._exit(3)"), tmp_path, samples=5).message


def test_a_clock_that_the_subject_replaces_is_noticed(tmp_path: Path) -> None:
    top = "driver = sys.modules['open_loop']; real = driver.now; driver.now = lambda: real() // 2"
    assert "times that cannot be" in failure_of(churning(tmp_path, top=top), tmp_path, samples=5).message


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"extensions": 0}, "params.extensions"),
        ({"cycle_ms": 0}, "params.cycle_ms"),
        ({"per_cycle": {}}, "params.per_cycle"),
        ({"per_cycle": {ADD: 2}}, "register is due once"),
        ({"cycle": 1}, "params.cycle"),
    ],
)
def test_parameters_that_are_not_valid_are_named_with_their_file(
    tmp_path: Path, params: dict[str, Any], named: str
) -> None:
    with pytest.raises(GateError, match=r"gate\.yaml: params") as caught:
        measured(churning(tmp_path, **params), tmp_path)
    assert named in caught.value.message


def test_a_command_is_no_subject_of_churn(tmp_path: Path) -> None:
    gate = gate_of(tmp_path / "gate", {}, GENEROUS, id="PRF-02", subject={"command": ["/bin/true"]}, params=PARAMS)
    with pytest.raises(GateError, match="inside of a Python subject"):
        measured(gate, tmp_path)


def test_no_process_is_left_when_a_measuring_is_closed(tmp_path: Path) -> None:
    with measured(churning(tmp_path), tmp_path) as gate:
        pids = [arm.subject.pid for arm in gate.arms.values()]
    gate.close()
    for pid in pids:
        wait_until_gone(pid)


def test_no_process_is_left_when_the_second_arm_does_not_start(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    top = f"print(os.getpid(), file=open({str(flag)!r}, 'a'))\nif len(open({str(flag)!r}).readlines()) > 1: sys.exit(1)"
    failure_of(churning(tmp_path, top=top), tmp_path, samples=5)
    for pid in flag.read_text().split():
        wait_until_gone(int(pid))


# ---- tables ----------------------------------------------------------------------------------------------------


def served(kind: str, *latencies_ms: float) -> list[Served]:
    return [Served(kind, at * 10 * MS, 0, round(ms * MS)) for at, ms in enumerate(latencies_ms)]


def test_the_plan_was_fixed_before_and_is_in_the_report(tmp_path: Path) -> None:
    report = report_of(churning(tmp_path), tmp_path, samples=5)
    plan = dict(report.tables[0].rows)
    assert plan["due in a cycle"] == "2 dispatch, 1 analysis; under churn also 1 register and 1 unregister"
    assert plan["a cycle"] == "6 ms, whatever was answered"
    assert int(plan["seed"]) > 0


def test_ratios_are_of_churn_to_static() -> None:
    table = churn_tables.ratios(served("dispatch", 1, 2), [*served("dispatch", 2, 3), *served(ADD, 5)])
    assert table.rows[0] == ("dispatch", "1.000 ms", "2.000 ms", "2.000 ms", "3.000 ms", "1.50x", "–")
    assert table.rows[1] == (ADD, "–", "5.000 ms", "–", "5.000 ms", "–", "–")


def test_a_ratio_has_bounds_where_both_p99_have() -> None:
    rng = random.Random(1)
    static, under = ([rng.uniform(1, 2) * factor for _ in range(400)] for factor in (1, 3))
    (row,) = churn_tables.ratios(served("dispatch", *static), served("dispatch", *under)).rows
    low, high = (float(word.rstrip("x")) for word in row[-1].split(" to "))
    assert low <= float(row[-2].rstrip("x")) <= high
    assert 2.5 < low < 3.0 < high < 3.5


def test_spikes_name_what_was_served_before_them() -> None:
    first, behind = Served(ADD, 0, 0, 90 * MS, 70 * MS), Served("dispatch", 5 * MS, 85 * MS, MS)
    rows = churn_tables.spikes([Served("dispatch", -MS, 0, MS), first, behind]).rows
    assert rows[0][1:] == (ADD, "90.000 ms", "0.000 ms", "90.000 ms", "70.000 ms", "dispatch")
    assert rows[1][1:] == ("dispatch", "86.000 ms", "85.000 ms", "1.000 ms", "0.000 ms", ADD)
    assert rows[2][-1] == "–"


def test_processes_show_how_busy_each_arm_was() -> None:
    process = Process("churn", served("dispatch", 2, 4), [MS, MS, 2 * MS], {"modules": 7}, 2048, 20 * MS)
    table = churn_tables.processes([process])
    assert table.rows == (("churn", "30 %", "3", "4.000 ms", "2.000 ms", "2.0 MiB", "7"),)


@pytest.mark.parametrize(("span_ms", "noted"), [(10, 0), (6.5, 1), (4, 1)])
def test_an_arm_whose_latencies_are_a_queue_is_named(span_ms: float, noted: int) -> None:
    process = Process("churn", served("dispatch", 2, 4), [], {}, 2048, int(span_ms * MS))
    found = churn_tables.overload([process])
    assert len(found) == noted
    assert all("churn arm was busy" in note for note in found)
