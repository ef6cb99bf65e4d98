"""Scenarios that must hold: each is shown to lose at most its margin, or nothing is adopted."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prfpipe import verdict as rules
from prfpipe.models import Effort, Plan, SampleSet, Scenario, Verdict
from prfpipe.plan import planned_scenarios
from tests.support.decisions import (
    PRIMARY,
    Shape,
    codes,
    decide,
    invocation,
    measured,
    plan,
    profiles,
    renamed,
    sample_set,
    together,
)

BUSY, IDLE = "busy", "idle"
SCENARIOS = (Scenario(name=PRIMARY, primary=True), Scenario(name=BUSY), Scenario(name=IDLE))


def stratified(must_hold: Any = (BUSY,), scenarios: tuple[Scenario, ...] = SCENARIOS, **changes: Any) -> Plan:
    spec = {"scenarios": scenarios, "must_hold": must_hold, "non_inferiority_percent": changes.pop("percent", 1.0)}
    return plan(effort=changes.pop("effort", Effort.QUICK), lever=spec, **changes)


def run(the_plan: Plan, gain: float = 2.5, stratum: float = 1.0, **changes: Any) -> SampleSet:
    """The primary scenario with a gain, and the stratum `busy` measured to the cap."""
    return together(measured(the_plan, gain), renamed(measured(the_plan, stratum, **changes), BUSY))


def reason(found: Verdict, code: str) -> str:
    return next(item.message for item in found.reasons if item.code == code)


# ---- what a stratum does to the verdict -----------------------------------------------------------------


def test_a_gain_whose_strata_all_hold_is_adopted_and_says_so() -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan))
    assert (found.verdict, codes(found)) == ("adopt", ["faster", "stratum-holds"])
    [stratum] = found.strata
    assert (stratum.scenario, stratum.state, stratum.margin_percent) == (BUSY, "holds", 1.0)
    assert stratum.worst_percent == pytest.approx(0.05, abs=0.1)


def test_a_gain_on_the_primary_scenario_does_not_hide_a_loss_on_a_stratum() -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, stratum=0.9))
    assert (found.verdict, found.claim, codes(found)) == ("reject", "met", ["stratum-slower", "faster"])
    assert reason(found, "stratum-slower").startswith("busy: 0.900x [0.")
    assert "may be slower by 1 %: it is slower by more than that" in reason(found, "stratum-slower")


@pytest.mark.parametrize(
    ("speedup", "state", "verdict"),
    [
        (1.3, "holds", "adopt"),
        (0.995, "holds", "adopt"),
        (0.99, "undecided", "undecided"),
        (0.985, "violated", "reject"),
    ],
)
def test_a_stratum_may_be_slower_by_its_margin_and_no_more(speedup: float, state: str, verdict: str) -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, stratum=speedup))
    assert (found.strata[0].state, found.verdict) == (state, verdict)


def test_the_margin_is_the_levers_own() -> None:
    the_plan = stratified(percent=15.0)
    found = decide(the_plan, run(the_plan, stratum=0.9))
    assert (found.verdict, found.strata[0].margin_percent) == ("adopt", 15.0)
    assert found.strata[0].worst_percent == pytest.approx(11.1, abs=0.3)


def test_an_undecided_stratum_leaves_the_verdict_open_and_says_what_could_be_resolved() -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, noise=0.1))
    assert (found.verdict, codes(found)[0]) == ("undecided", "stratum-undecided")
    message = reason(found, "stratum-undecided")
    assert "could resolve" in message
    assert message.endswith("measure at a higher effort")


def test_a_stratum_that_was_not_measured_is_undecided() -> None:
    the_plan = stratified(must_hold=(BUSY, IDLE))
    found = decide(the_plan, run(the_plan))
    assert (found.verdict, codes(found)[0]) == ("undecided", "stratum-undecided")
    assert reason(found, "stratum-undecided") == "idle: must hold, but has no samples that count"
    assert [(item.scenario, item.state, item.worst_percent is None) for item in found.strata] == [
        (BUSY, "holds", False),
        (IDLE, "undecided", True),
    ]


def test_a_stratum_with_too_few_invocations_for_an_interval_is_undecided_and_says_how_many_it_needs() -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, n=5))
    assert found.verdict == "undecided"
    assert "5 invocations; an interval needs 6" in reason(found, "stratum-undecided")


def test_a_loss_outweighs_another_stratum_that_is_open() -> None:
    the_plan = stratified(must_hold=(BUSY, IDLE))
    found = decide(the_plan, run(the_plan, stratum=0.9))
    assert (found.verdict, codes(found)) == ("reject", ["stratum-slower", "stratum-undecided", "faster"])


def test_strata_that_hold_do_not_make_up_for_a_missing_gain() -> None:
    the_plan = stratified()
    assert decide(the_plan, run(the_plan, gain=1.0)).verdict == "reject"


def test_strata_are_judged_although_the_primary_scenario_was_not_measured() -> None:
    the_plan = stratified()
    found = decide(the_plan, renamed(measured(the_plan, 0.9), BUSY))
    assert (found.verdict, codes(found)) == ("reject", ["stratum-slower", "nothing-measured"])


def test_a_scenario_that_need_not_hold_may_lose() -> None:
    the_plan = stratified()
    lost = renamed(measured(the_plan, 0.5), IDLE)
    assert decide(the_plan, together(run(the_plan), lost)).verdict == "adopt"


@pytest.mark.parametrize("must_hold", ["all", (PRIMARY,)])
def test_a_primary_scenario_that_must_hold_alone_is_implied_by_its_gain(must_hold: Any) -> None:
    the_plan = stratified(must_hold, scenarios=SCENARIOS[:1])
    found = decide(the_plan, measured(the_plan, 2.5))
    assert (found.verdict, codes(found)) == ("adopt", ["faster", "stratum-holds"])
    assert decide(the_plan, measured(the_plan, 2.5, control=1.02)).verdict == "undecided"


@pytest.mark.parametrize("speedup", [0.9, 1.0, 1.01, 1.02, 2.5])
def test_the_question_of_a_primary_scenario_stays_what_it_is(speedup: float) -> None:
    plain, stratum = plan(), stratified("all", scenarios=SCENARIOS[:1])
    samples = measured(plain, speedup)
    assert decide(stratum, samples).verdict == decide(plain, samples).verdict


@given(st.integers(0, 10**6), st.floats(0.5, 0.98), st.floats(0.0005, 0.1), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_no_lever_is_adopted_with_a_stratum_that_loses_more_than_its_margin(
    shift: int, speedup: float, noise: float, n: int
) -> None:
    the_plan = stratified()
    seconds = the_plan.rule.seconds / n
    worse = [invocation(shift + i, speedup, seconds=seconds, noise=noise / 2) for i in range(n)]
    # Every single invocation is slower than the margin allows, so that no interval can reach it.
    kept = [
        item for item in worse if sum(item.arms["candidate"].samples_ns) > 1.01 * sum(item.arms["baseline"].samples_ns)
    ]
    found = decide(the_plan, together(measured(the_plan, 2.5), renamed(sample_set(kept), BUSY)))
    assert found.verdict != "adopt"


# ---- the run of a stratum -------------------------------------------------------------------------------


@pytest.mark.parametrize("control", [1.02, 0.98])
def test_a_stratum_whose_two_baselines_differ_leaves_the_verdict_open_and_is_named(control: float) -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, stratum=1.5, control=control))
    assert (found.verdict, codes(found)[0]) == ("undecided", "control-significant")
    assert reason(found, "control-significant").startswith("busy: two copies of the baseline differ")


def test_other_outputs_in_a_stratum_are_rejected() -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, shapes={"candidate": {"outputs": "other"}}))
    assert (found.verdict, codes(found)[0]) == ("reject", "timed-outputs-differ")
    assert "scenario busy" in found.reasons[0].message


@pytest.mark.parametrize(
    ("code", "shape"),
    [("clock-disagrees", {"wall": 1.5}), ("work-moved", {"session": 1.5}), ("work-moved", {"cpu": 1.5})],
)
def test_a_stratum_that_is_fast_by_its_own_clock_alone_is_rejected_and_named(code: str, shape: Shape) -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, stratum=1.5, shapes={"candidate": shape}))
    assert (found.verdict, codes(found)[0]) == ("reject", code)
    assert reason(found, code).startswith("busy: ")


def test_a_small_saving_in_a_stratum_that_drowns_in_what_the_variants_take_to_end_is_no_objection() -> None:
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, stratum=1.2, shapes={"candidate": {"session": 1.11}}))
    assert (found.verdict, "work-moved" in codes(found)) == ("adopt", False)


@pytest.mark.parametrize(
    ("code", "shape"), [("clock-disagrees", {"wall": 5.0}), ("work-moved", {"session": 5.0})], ids=["wall", "session"]
)
@pytest.mark.parametrize("speedup", [1.0, 0.999])
def test_a_stratum_that_loses_outside_of_its_own_clock_is_not_adopted(code: str, shape: Shape, speedup: float) -> None:
    """It need not gain, so what it hides is no saving that an outer clock would lack."""
    the_plan = stratified()
    found = decide(the_plan, run(the_plan, stratum=speedup, shapes={"candidate": shape}))
    assert (found.verdict, codes(found)[0]) == ("undecided", code)
    assert reason(found, code).startswith("busy: ")


def test_a_profile_bounds_the_primary_scenario_only() -> None:
    the_plan = stratified()
    assert decide(the_plan, run(the_plan, gain=2.1, stratum=9.0), profiles=profiles(2.0)).verdict == "adopt"


# ---- looks and stopping ---------------------------------------------------------------------------------


def enough_at(the_plan: Plan, samples: SampleSet) -> list[int]:
    """After how many invocations the stratum could stop."""
    done = samples.invocations
    prefixes = [renamed(sample_set(done[:n]), BUSY) for n in range(len(done) + 1)]
    return [n for n, found in enumerate(prefixes) if rules.is_enough(the_plan, found, BUSY)]


def test_a_stratum_has_looks_of_its_own_and_the_whole_confidence() -> None:
    the_plan = stratified(must_hold=(BUSY,))
    one_look = renamed(measured(the_plan, 1.0, n=30), IDLE)
    found = decide(the_plan, together(run(the_plan, n=30), one_look))
    by_name = {item.scenario: item for item in found.scenarios}
    assert [(by_name[name].looks, by_name[name].must_hold) for name in (PRIMARY, BUSY, IDLE)] == [
        (5, False),
        (5, True),
        (1, False),
    ]
    assert {item.confidence for item in found.scenarios} == {0.95}


@pytest.mark.parametrize("speedup", [0.8, 1.0, 2.5])
def test_a_stratum_stops_at_the_first_look_that_decides_it(speedup: float) -> None:
    the_plan = stratified()
    # At 4 invocations no interval exists yet; a claim's range, which is about the primary scenario, keeps none open.
    assert enough_at(the_plan, measured(the_plan, speedup, n=40))[0] == 8


def test_an_open_stratum_goes_on_to_the_cap() -> None:
    the_plan = stratified()
    assert enough_at(the_plan, measured(the_plan, 1.0, n=40, noise=0.05)) == [40]


def test_other_outputs_stop_a_stratum_at_once_and_no_other_scenario() -> None:
    the_plan = stratified()
    differs = measured(the_plan, 1.0, shapes={"candidate": {"outputs": "x"}})
    assert enough_at(the_plan, differs)[0] == 1
    mixed = together(renamed(differs, BUSY), measured(the_plan, 2.5, n=40))
    short = mixed.model_copy(update={"invocations": mixed.invocations[:21]})
    assert not rules.is_enough(the_plan, short, PRIMARY)


def test_a_stratum_without_samples_is_never_enough() -> None:
    the_plan = stratified()
    assert not rules.is_enough(the_plan, measured(the_plan, 2.5), BUSY)


def test_slow_invocations_of_a_stratum_go_on_to_the_smallest_useful_number() -> None:
    the_plan = stratified()
    slow = sample_set([invocation(i, 1.0, seconds=the_plan.rule.seconds) for i in range(8)])
    assert enough_at(the_plan, slow)[0] == the_plan.rule.min_invocations


# ---- the plan -------------------------------------------------------------------------------------------


def test_the_rule_freezes_the_strata_in_the_order_of_the_scenarios_and_their_margin() -> None:
    the_plan = stratified(must_hold=(IDLE, PRIMARY), percent=2.5)
    assert (the_plan.rule.must_hold, the_plan.rule.non_inferiority_percent) == ((PRIMARY, IDLE), 2.5)
    assert the_plan.sequential == (PRIMARY, IDLE)
    assert stratified("all").rule.must_hold == (PRIMARY, BUSY, IDLE)
    assert Plan.model_validate_json(the_plan.model_dump_json()) == the_plan


@pytest.mark.parametrize("effort", list(Effort))
def test_strata_are_measured_at_every_effort(effort: Effort) -> None:
    late = tuple(item.model_copy(update={"from_effort": Effort.RIGOROUS}) for item in SCENARIOS)
    planned = [item.name for item in planned_scenarios(stratified(scenarios=late, effort=effort))]
    assert planned == ([PRIMARY, BUSY] if effort is not Effort.RIGOROUS else [PRIMARY, BUSY, IDLE])


def test_a_lever_without_strata_writes_nothing_about_them() -> None:
    the_plan = plan()
    assert b"strata" not in decide(the_plan, measured(the_plan, 2.5)).model_dump_json().encode()
    assert b"must_hold" not in decide(the_plan, measured(the_plan, 2.5)).model_dump_json().encode()
