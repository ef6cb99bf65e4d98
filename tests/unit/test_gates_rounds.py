"""Rounds made equally fast: what the machine did goes, what an arm costs stays, and no arm is favoured."""

import random
from math import log
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.figures import P50, gains_of, latency
from prfpipe.gates.rounds import even, with_both_copies
from prfpipe.models import ARMS, Invocation
from tests.support.measured import invocation

MS = 1_000_000
turns = st.lists(st.tuples(*[st.integers(10 * MS, 100 * MS)] * 3), min_size=1, max_size=20)


def taken(rounds: list[tuple[int, ...]], block: int = 1) -> Invocation:
    """An invocation of these rounds; in each the samples of baseline, control and candidate, `block` of each."""
    base = invocation("some-path", 0, 1.0)
    arms = {}
    for place, arm in enumerate(ARMS):
        samples = tuple(ns for found in rounds for ns in found[place * block : (place + 1) * block])
        arms[arm] = base.arms[arm].model_copy(update={"samples_ns": samples})
    return base.model_copy(update={"arms": arms})


def gain(found: Invocation) -> float:
    """Baseline's median to candidate's."""
    (ratio,) = gains_of([found], "baseline", "candidate", latency(P50))
    return ratio / gains_of([found], "baseline", "baseline", latency(P50))[0]


@given(turns)
def test_within_a_round_the_arms_stay_in_proportion(rounds: list[tuple[int, ...]]) -> None:
    arms = even(taken(rounds), 1).arms
    for number, (off, _, on) in enumerate(rounds):
        left, right = arms["baseline"].samples_ns[number], arms["candidate"].samples_ns[number]
        assert abs(left * on - right * off) <= max(off, on)


@given(turns, st.lists(st.integers(1, 9), min_size=20, max_size=20))
def test_how_fast_the_machine_was_in_a_round_makes_no_difference(
    rounds: list[tuple[int, ...]], paces: list[int]
) -> None:
    slowed = [tuple(ns * pace for ns in found) for found, pace in zip(rounds, paces, strict=False)]
    assert abs(gain(even(taken(slowed), 1)) / gain(even(taken(rounds), 1)) - 1) < 1e-6


@given(turns)
def test_arms_that_change_places_change_their_figures_with_them(rounds: list[tuple[int, ...]]) -> None:
    swapped = even(taken([(on, control, off) for off, control, on in rounds]), 1).arms
    arms = even(taken(rounds), 1).arms
    assert swapped["candidate"].samples_ns == arms["baseline"].samples_ns
    assert swapped["baseline"].samples_ns == arms["candidate"].samples_ns


@given(turns)
def test_rounds_of_one_pace_stay_as_they_are(rounds: list[tuple[int, ...]]) -> None:
    same = taken([rounds[0]] * len(rounds))
    assert even(same, 1) == same


def test_a_round_of_several_samples_is_one_block() -> None:
    found = even(taken([(1, 2, 3, 4, 5, 6), (10, 20, 30, 40, 50, 60)], block=2), 2).arms
    assert found["baseline"].samples_ns == (1, 2, 1, 2)
    assert found["candidate"].samples_ns == (5, 6, 5, 6)


@given(turns)
def test_it_makes_no_difference_which_copy_is_called_the_control(rounds: list[tuple[int, ...]]) -> None:
    swapped = with_both_copies(taken([(control, off, on) for off, control, on in rounds])).arms
    arms = with_both_copies(taken(rounds)).arms
    assert swapped["baseline"] == arms["baseline"]
    assert swapped["candidate"] == arms["candidate"]


@given(turns)
def test_copies_that_took_the_same_stay_what_they_were(rounds: list[tuple[int, ...]]) -> None:
    same = taken([(off, off, on) for off, _, on in rounds])
    assert gain(with_both_copies(same)) == gain(same)


@pytest.mark.parametrize("cost", [1.0, 1.05])
@pytest.mark.parametrize("count", [5, 12])
def test_with_both_copies_a_cost_is_seen_more_exactly_and_favours_no_arm(cost: float, count: int) -> None:
    """Noise with a long tail, as a disk's and a neighbour's is: a tenth of the turns take half as long again."""
    rng = random.Random(4)
    one, both = [], []
    for _ in range(1500):
        rounds = [
            tuple(
                round(40 * MS * share * rng.choice((1.0,) * 9 + (1.5,)) * rng.lognormvariate(0, 0.05))
                for share in (1, 1, cost)
            )
            for _ in range(count)
        ]
        found = even(taken(rounds), 1)
        one.append(log(gain(found)))
        both.append(log(gain(with_both_copies(found))))
    assert stdev(one) > 1.08 * stdev(both)
    assert abs(mean(both) + log(cost)) < 0.002


def test_on_a_core_whose_speed_comes_and_goes_a_cost_is_seen_more_exactly() -> None:
    """As it was seen on such a core: half as fast for seconds at a time, and a turn varies by some percent."""
    rng, cost = random.Random(4), 1.03
    raw, evened = [], []
    for _ in range(200):
        paces = [rng.choice((1.0, 1.9)) for _ in range(12)]
        rounds = [
            tuple(round(40 * MS * pace * share * rng.lognormvariate(0, 0.05)) for share in (1, 1, cost))
            for pace in paces
        ]
        raw.append(gain(taken(rounds)))
        evened.append(gain(even(taken(rounds), 1)))
    assert stdev(raw) > 1.4 * stdev(evened)
    assert abs(sum(evened) / len(evened) * cost - 1) < 0.005
