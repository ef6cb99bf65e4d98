"""When the interval may be looked at, when measuring may stop, and what the verdict depends on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prfpipe import looks
from prfpipe import verdict as rules
from prfpipe.models import Plan, SampleSet, Verdict
from prfpipe.plan import LOOK_FRACTIONS
from tests.support.decisions import BASE_NS, PRIMARY, SAMPLES, codes, decide, invocation, measured, plan, sample_set

# ---- what the verdict depends on ------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.floats(0.5, 4), st.floats(0.001, 0.2), st.integers(1, 25))
@settings(max_examples=25)
def test_the_verdict_depends_on_nothing_but_the_records(shift: int, speedup: float, noise: float, n: int) -> None:
    the_plan = plan(("p99", 5.0))
    seconds = the_plan.rule.seconds / n
    items = [invocation(shift + i, speedup, seconds=seconds, noise=noise) for i in range(n)]
    turned = [item.model_copy(update={"arms": dict(reversed(item.arms.items()))}) for item in items]
    first = decide(the_plan, sample_set(items))
    assert decide(the_plan, sample_set(turned)) == first
    assert decide(the_plan, SampleSet.model_validate_json(sample_set(items).model_dump_json())) == first
    assert Verdict.model_validate_json(first.model_dump_json()) == first


def test_one_changed_sample_changes_the_figures() -> None:
    the_plan = plan()
    samples = measured(the_plan, 2.5)
    item = samples.invocations[7]
    slower = item.arms["candidate"].model_copy(update={"samples_ns": (2 * BASE_NS,) * SAMPLES})
    edited = item.model_copy(update={"arms": {**item.arms, "candidate": slower}})
    changed = sample_set([*samples.invocations[:7], edited, *samples.invocations[8:]])
    assert decide(the_plan, changed).scenarios != decide(the_plan, samples).scenarios


def test_dropping_the_last_invocation_leaves_the_question_open() -> None:
    """The time of the last look was not reached, so the plan allows no interval there."""
    the_plan = plan()
    samples = measured(the_plan, 2.5)
    found = decide(the_plan, sample_set(samples.invocations[:-1]))
    assert (found.verdict, codes(found)) == ("undecided", ["too-few-invocations"])


def test_invocations_after_the_last_look_leave_the_question_open() -> None:
    the_plan = plan()
    more = [*measured(the_plan, 2.5).invocations, invocation(20, 2.5, seconds=the_plan.rule.seconds)]
    assert decide(the_plan, sample_set(more)).verdict == "undecided"


# ---- looks and stopping ---------------------------------------------------------------------------------


def sizes(the_plan: Plan, samples: SampleSet) -> list[int]:
    return looks.allowed(the_plan, samples.invocations)[0]


def enough_at(the_plan: Plan, samples: SampleSet) -> list[int]:
    """After how many invocations the primary scenario could stop."""
    done = samples.invocations
    return [n for n in range(len(done) + 1) if rules.is_enough(the_plan, sample_set(done[:n]), PRIMARY)]


def test_looks_come_with_the_first_invocation_after_each_share_of_the_time() -> None:
    the_plan = plan()
    assert sizes(the_plan, measured(the_plan, 2.5, n=20)) == [2, 4, 8, 14, 20]


def test_looks_that_fall_on_one_invocation_are_one_look_with_all_of_their_alpha() -> None:
    the_plan = plan()
    found, released = looks.allowed(the_plan, measured(the_plan, 2.5, n=6).invocations)
    assert found == [1, 2, 3, 5, 6]
    one_long = [invocation(0, 2.5, seconds=the_plan.rule.seconds * 0.5)]
    assert looks.allowed(the_plan, one_long)[1] == released[2:3]


def test_all_of_alpha_is_released_by_the_last_look() -> None:
    the_plan = plan()
    assert looks.allowed(the_plan, measured(the_plan, 2.5).invocations)[1][-1] == 1


def test_the_last_look_waits_for_the_smallest_useful_number_of_invocations() -> None:
    the_plan = plan()
    slow = sample_set([invocation(i, 2.5, seconds=the_plan.rule.seconds) for i in range(8)])
    assert sizes(the_plan, slow) == [1, the_plan.rule.min_invocations]
    assert enough_at(the_plan, slow)[0] == the_plan.rule.min_invocations


def test_the_largest_number_of_invocations_is_the_last_look_whatever_the_time() -> None:
    the_plan = plan(max_invocations=7)
    fast = sample_set([invocation(i, 1.01, seconds=0.001) for i in range(7)])
    assert sizes(the_plan, fast) == [7]
    assert enough_at(the_plan, fast) == [7]


def test_a_clear_case_stops_at_an_early_look() -> None:
    the_plan = plan()
    assert enough_at(the_plan, measured(the_plan, 2.5, n=40))[0] == 8


def test_a_candidate_without_gain_stops_early_too() -> None:
    the_plan = plan()
    assert enough_at(the_plan, measured(the_plan, 0.9, n=40))[0] == 8


@pytest.mark.parametrize(("speedup", "guard"), [(1.01, 5.0), (2.0, 5.0), (2.5, 158.0)])
def test_an_open_gain_claim_or_guard_goes_on_to_the_end(speedup: float, guard: float) -> None:
    the_plan = plan(("p99", guard))
    samples = measured(
        the_plan, speedup, n=40, noise=0.02, shapes={"candidate": {"slow": 2.5 * 2.58 if guard > 100 else 1}}
    )
    assert enough_at(the_plan, samples) == [40]


def test_a_violated_guard_stops_early() -> None:
    the_plan = plan(("peak_rss", 5.0))
    samples = measured(the_plan, 2.0, n=40, noise=0.02, shapes={"candidate": {"peak_rss": 2.0}})
    assert enough_at(the_plan, samples)[0] == 8


def test_other_outputs_stop_at_once() -> None:
    the_plan = plan()
    assert enough_at(the_plan, measured(the_plan, 2.5, shapes={"candidate": {"outputs": "x"}}))[0] == 1


@given(st.integers(0, 10**6), st.floats(0.8, 3), st.floats(0.001, 0.1), st.integers(1, 30))
@settings(max_examples=25)
def test_it_never_stops_between_looks(shift: int, speedup: float, noise: float, n: int) -> None:
    the_plan = plan()
    seconds = the_plan.rule.seconds / n
    samples = sample_set([invocation(shift + i, speedup, seconds=seconds, noise=noise) for i in range(n)])
    allowed = {*sizes(the_plan, samples)}
    assert set(enough_at(the_plan, samples)) <= allowed
    assert len(allowed) <= len(LOOK_FRACTIONS)


def test_nothing_measured_is_never_enough() -> None:
    assert not rules.is_enough(plan(), sample_set([]), PRIMARY)
