"""The exact rule: its errors by an independent computation, its answers, and what it refuses."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.errors import GateError, NothingMeasuredError
from prfpipe.gates import decide
from prfpipe.gates.boundaries import ERROR, SIZES, Look, looks, looks_up_to
from prfpipe.limits import stands_despite_bias
from prfpipe.models import Estimate
from tests.support.gate_overheads import overhead
from tests.support.gates import budget, check, milliseconds


def _ever(over: float, passes: bool) -> float:
    """The chance to pass (or to fail) at some look where each sample is over the budget with chance `over`.

    Another way than the rule's own: floating point, sample by sample, both ends absorbing.
    """
    going, decided = {0: 1.0}, 0.0
    by_size = {look.samples: look for look in looks()}
    for n in range(1, SIZES[-1] + 1):
        grown: dict[int, float] = {}
        for x, chance in going.items():
            grown[x] = grown.get(x, 0.0) + chance * (1 - over)
            grown[x + 1] = grown.get(x + 1, 0.0) + chance * over
        if n in by_size:
            grown, passed, failed = _absorbed(grown, by_size[n])
            decided += passed if passes else failed
        going = {x: chance for x, chance in grown.items() if chance > 1e-15}
    return decided


def _absorbed(going: dict[int, float], look: Look) -> tuple[dict[int, float], float, float]:
    most = -1 if look.passes is None else look.passes
    passed = sum(chance for x, chance in going.items() if x <= most)
    failed = sum(chance for x, chance in going.items() if x >= look.fails)
    return {x: chance for x, chance in going.items() if most < x < look.fails}, passed, failed


@pytest.mark.parametrize("over", [0.01, 0.012, 0.02, 0.05])
def test_a_true_p99_at_or_above_the_budget_passes_at_most_once_in_twenty(over: float) -> None:
    assert _ever(over, passes=True) <= float(ERROR)


@pytest.mark.parametrize("over", [0.01, 0.008, 0.005, 0.0])
def test_a_true_p99_at_or_below_the_budget_fails_at_most_once_in_twenty(over: float) -> None:
    assert _ever(over, passes=False) <= float(ERROR)


def test_the_error_is_spent_and_not_kept() -> None:
    assert _ever(0.01, passes=True) > 0.04
    assert _ever(0.01, passes=False) > 0.04


def test_what_is_well_within_or_far_above_its_budget_is_decided() -> None:
    assert _ever(0.001, passes=True) > 0.99
    assert _ever(0.05, passes=False) > 0.99


def test_a_hundred_samples_never_certify_a_p99() -> None:
    assert looks()[0] == Look(100, None, looks()[0].fails)
    assert check(milliseconds(*[1.0] * 100)).state == "undecided"


@given(st.fractions(min_value=Fraction(1, 1000), max_value=Fraction(1, 5)))
def test_less_error_never_widens_a_limit(error: Fraction) -> None:
    sizes, released = (100, 370), (Fraction(1, 2), Fraction(1))
    strict, loose = looks(sizes, released, error / 2), looks(sizes, released, error)
    for one, other in zip(strict, loose, strict=True):
        assert (-1 if one.passes is None else one.passes) <= (-1 if other.passes is None else other.passes)
        assert one.fails >= other.fails


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=400), st.integers(1, 10_000))
def test_bounds_and_answer_never_contradict_each_other(samples: list[int], limit: int) -> None:
    found = check(samples, float(limit))
    if found.low is not None and found.high is not None:
        assert found.low <= found.high
    assert (found.state in {"pass", "warn"}) == (found.high is not None and found.high <= limit)
    assert (found.state == "fail") == (found.low is not None and found.low > limit)


def test_none_over_the_budget_passes_at_370_and_says_so() -> None:
    found = check(milliseconds(*[10.0] * 370))
    assert (found.state, found.over, found.decided_on, found.looks) == ("pass", 0, 370, 2)
    assert (found.value, found.high, found.used_percent) == (10.0, 10.0, 10.0)
    assert "at most 10 ms" in found.message


def test_five_of_a_hundred_over_the_budget_fail_at_once() -> None:
    found = check(milliseconds(*[150.0] * 5, *[10.0] * 95))
    assert (found.state, found.over, found.decided_on) == ("fail", 5, 100)
    assert found.low == 150.0
    assert check(milliseconds(*[150.0] * 4, *[10.0] * 96)).state == "undecided"


def test_what_came_after_the_decision_does_not_change_it() -> None:
    first = milliseconds(*[10.0] * 370)
    assert check(first + milliseconds(*[500.0] * 630)).state == "pass"


def test_exactly_the_budget_is_within_it() -> None:
    assert check(milliseconds(*[100.0] * 370)).high == 100.0
    assert check(milliseconds(*[100.0] * 370)).state == "warn"
    assert check([100_000_001] * 370).state == "fail"


def test_a_pass_warns_above_80_percent_of_its_budget() -> None:
    assert check(milliseconds(*[80.0] * 370)).state == "pass"
    near = check(milliseconds(*[80.1] * 370))
    assert near.state == "warn"
    assert "80 % of the budget" in near.message


def test_a_pass_that_only_an_override_allows_warns_and_names_it() -> None:
    lent = budget(limit=1000.0, standing=100.0, override="until 2027-01-01: the disk is replaced in January")
    found = decide.p99(lent, milliseconds(*[150.0] * 370), looks_up_to(370), 80.0)
    assert found.state == "warn"
    assert "the disk is replaced in January" in found.message


def test_an_overhead_that_only_an_override_allows_warns_and_names_it() -> None:
    lent = budget("path", 50.0, standing=5.0, override="until 2027-01-01: the disk is replaced in January")
    found = overhead(low=0.9, estimate=0.92, high=0.94, margin=50.0)
    answer = decide.overhead(lent, found.stratum, found.result, 80.0)
    assert answer.state == "warn"
    assert "the disk is replaced in January" in answer.message


def test_the_figures_of_the_first_hundred_samples_are_shown_however_many_were_taken() -> None:
    found = check(milliseconds(*range(1, 101), *[1.0] * 270))
    assert found.first is not None
    assert (found.first.samples, found.first.p50_ns, found.first.p95_ns, found.first.p99_ns) == (
        100,
        *milliseconds(50, 95, 99),
    )


def test_too_few_samples_stay_open_and_say_what_is_missing() -> None:
    found = check(milliseconds(*[1.0] * 60))
    assert (found.state, found.low, found.high) == ("undecided", None, None)
    assert "only 60 samples were given, the next look is at 100" in found.message


def test_a_limit_below_the_first_look_says_where_that_is() -> None:
    assert "7 samples decide nothing, the first look is at 100" in check(milliseconds(*[1.0] * 7), most=7).message


def test_out_of_scope_is_measured_shown_and_never_judged() -> None:
    found = check(milliseconds(*[500.0] * 370), None)
    assert (found.state, found.budget, found.used_percent) == ("out-of-scope", None, None)
    assert found.value == 500.0


@pytest.mark.parametrize(
    "bad", [0, -1, 1.5, math.nan, math.inf, True, "1"], ids=["zero", "negative", "float", "nan", "inf", "bool", "text"]
)
def test_what_is_no_duration_is_refused(bad: object) -> None:
    with pytest.raises(NothingMeasuredError, match="no duration"):
        check([*milliseconds(*[1.0] * 400), bad])  # type: ignore[list-item]


def test_no_samples_are_refused() -> None:
    with pytest.raises(NothingMeasuredError, match="work: no samples"):
        check([])


# ---- the gate's answer ----------------------------------------------------------------------------------


def test_the_gate_answers_with_the_worst_of_its_checks() -> None:
    good, near = check(milliseconds(*[1.0] * 370)), check(milliseconds(*[90.0] * 370))
    still_open, bad = check(milliseconds(1.0)), check(milliseconds(*[200.0] * 100))
    assert decide.word([good]) == "pass"
    assert decide.word([good, near]) == "warn"
    assert decide.word([good, near, still_open]) == "undecided"
    assert decide.word([bad, still_open, good]) == "fail"


def test_a_gate_without_a_check_in_scope_is_refused() -> None:
    with pytest.raises(NothingMeasuredError, match="no subject"):
        decide.word([])
    with pytest.raises(NothingMeasuredError, match="no subject"):
        decide.word([check(milliseconds(1.0), None)])


def test_an_overhead_judged_at_another_margin_than_its_budget_is_refused() -> None:
    found = overhead(low=0.98, estimate=0.99, high=1.0, margin=5.0)
    with pytest.raises(GateError, match="judged at 5 %, but its budget is 3 %"):
        decide.overhead(budget("path", 3.0), found.stratum, found.result, 80.0)


def test_an_overhead_without_invocations_is_refused() -> None:
    found = overhead(low=0.98, estimate=0.99, high=1.0, margin=5.0)
    nothing = found.result.model_copy(update={"invocations": 0})
    with pytest.raises(NothingMeasuredError, match="path: no invocations"):
        decide.overhead(budget("path", 5.0), found.stratum, nothing, 80.0)


@pytest.mark.parametrize(
    ("low", "high", "doubts", "state"),
    [
        (0.975, 0.99, (), "pass"),
        (0.955, 0.99, (), "warn"),
        (0.90, 0.99, (), "undecided"),
        (0.80, 0.90, (), "fail"),
        (0.99, 1.01, ("the A/A control differs",), "undecided"),
        (None, None, (), "undecided"),
    ],
)
def test_an_overhead_is_judged_by_its_whole_interval(
    low: float | None, high: float | None, doubts: tuple[str, ...], state: str
) -> None:
    found = overhead(low=low, estimate=0.95, high=high, margin=5.0, doubts=doubts)
    answer = decide.overhead(budget("path", 5.0), found.stratum, found.result, 80.0, found.doubts)
    assert answer.state == state
    assert answer.value == pytest.approx(5.263, abs=0.001)
    assert all(doubt in answer.message for doubt in doubts)


@pytest.mark.parametrize(
    ("low", "high", "bias", "stands"),
    [
        (0.975, 0.99, 0.01, True),
        (0.955, 0.99, 0.01, False),
        (0.80, 0.90, 0.01, True),
        (0.80, 0.95, 0.01, False),
        (0.90, 0.99, 0.01, False),
        (None, None, 0.01, False),
        (0.975, 0.99, 0.05, False),
    ],
)
@pytest.mark.parametrize("direction", [1, -1])
def test_a_bias_counts_where_the_answer_might_be_another_without_it(
    low: float | None, high: float | None, bias: float, stands: bool, direction: int
) -> None:
    """What two copies of one program differ by is added against the answer, whichever of them was the slower."""
    ends = sorted((1 + direction * bias, 1 + direction * bias / 2))
    control = Estimate(estimate=1 + direction * 0.75 * bias, low=ends[0], high=ends[1])
    found = overhead(low=low, estimate=0.95, high=high, margin=5.0, control=control)
    assert stands_despite_bias(found.stratum, found.result) is stands
