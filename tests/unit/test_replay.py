"""Two runs agree if their intervals allow for the same speed-up and show the same direction."""

import pytest

from prfpipe.models import Estimate, Verdict
from prfpipe.replay import Replay, compare
from tests.support import bundles, records

LATER = "20261124T081500Z-lev-01-00000001"


def verdict(low: float | None, high: float | None, estimate: float, run_id: str = bundles.RUN_ID) -> Verdict:
    the_plan = bundles.plan(run_id=run_id)
    made = records.verdict(the_plan, records.samples(bundles.SPEEDUPS, invocations=3, operations=4))
    speedup = Estimate(estimate=estimate, low=low, high=high)
    scenarios = tuple(item.model_copy(update={"speedup": speedup}) for item in made.scenarios)
    return made.model_copy(update={"scenarios": scenarios})


def replayed(
    before: tuple[float | None, float | None], after: tuple[float | None, float | None], within: float = 0
) -> Replay:
    def middle(bounds: tuple[float | None, float | None]) -> float:
        return (bounds[0] * bounds[1]) ** 0.5 if bounds[0] and bounds[1] else 2.0

    return compare(verdict(*before, middle(before)), verdict(*after, middle(after), LATER), within)


def test_overlapping_intervals_on_one_side_agree() -> None:
    found = replayed((7.0, 7.4), (7.3, 7.9))
    assert (found.answer, found.replayed, found.replay) == ("agrees", bundles.RUN_ID, LATER)
    assert found.scenarios[0].reason == "faster both times, and the intervals allow for the same speed-up"


def test_intervals_apart_disagree_and_the_ratio_says_by_how_much() -> None:
    found = replayed((7.0, 7.4), (3.0, 3.1))
    assert found.answer == "disagrees"
    assert found.scenarios[0].ratio.low == pytest.approx(3.0 / 7.4, abs=1e-6)
    assert found.scenarios[0].ratio.high == pytest.approx(3.1 / 7.0, abs=1e-6)


def test_a_tolerance_takes_a_small_difference_for_none() -> None:
    assert replayed((7.0, 7.1), (7.2, 7.3)).answer == "disagrees"
    assert replayed((7.0, 7.1), (7.2, 7.3), within=2.0).answer == "agrees"
    assert replayed((7.2, 7.3), (7.0, 7.1), within=2.0).answer == "agrees"


def test_a_gain_that_is_not_shown_again_is_undecided() -> None:
    found = replayed((1.02, 1.06), (0.97, 1.04))
    assert found.answer == "undecided"
    assert "was faster and is not shown to differ" in found.scenarios[0].reason


def test_no_effect_twice_agrees() -> None:
    assert replayed((0.98, 1.02), (0.97, 1.01)).answer == "agrees"


def test_slower_twice_agrees_and_faster_against_slower_disagrees() -> None:
    assert replayed((0.6, 0.7), (0.65, 0.72)).answer == "agrees"
    assert replayed((1.2, 1.4), (0.65, 0.72)).answer == "disagrees"


@pytest.mark.parametrize(("before", "after"), [((None, None), (7.0, 7.2)), ((7.0, 7.2), (None, None))])
def test_without_an_interval_nothing_is_decided(
    before: tuple[float | None, float | None], after: tuple[float | None, float | None]
) -> None:
    assert replayed(before, after).answer == "undecided"


def test_the_confidence_is_what_two_intervals_leave() -> None:
    assert replayed((7.0, 7.4), (7.3, 7.9)).scenarios[0].confidence == pytest.approx(0.9)


def test_runs_of_two_levers_are_not_compared() -> None:
    other = verdict(7.0, 7.2, 7.1, LATER).model_copy(update={"lever": "LEV-02"})
    with pytest.raises(ValueError, match="did not measure the same thing"):
        compare(verdict(7.0, 7.2, 7.1), other, 0)


def test_the_whole_answer_is_json() -> None:
    found = replayed((7.0, 7.4), (7.3, 7.9))
    assert Replay.model_validate_json(found.model_dump_json()) == found
