"""The whole loop in real times, on a machine of its own: gains, losses, prices, and faster candidates that are wrong.

What takes longer here takes many times as long; how small an effect is decided is told of recorded samples, in
tests/unit/test_verdict.py.
"""

from collections.abc import Callable

from tests.e2e.evaluations import Done, prfpipe

Evaluated = Callable[..., Done]


def test_a_gain_is_seen_in_real_times(evaluated: Evaluated) -> None:
    """Catches arms, clocks or signs that were mixed up; it is not profiled, so that it stays undecided."""
    done = evaluated("many_times_faster")
    assert done.code == 3, done.err
    assert "faster" in done.codes
    assert done.document["scenarios"]["small"]["speedup"]["estimate"] > 2


# ---- no gain ---------------------------------------------------------------------------------------------


def test_a_candidate_that_equals_the_baseline_is_never_adopted(evaluated: Evaluated) -> None:
    """Once in 20,000 runs chance shows a gain at this effort; a bias towards one arm would show it each time."""
    done = evaluated("equal", "--effort", "rigorous")
    assert done.code in {1, 3}, done.err
    assert "faster" not in done.codes


def test_a_candidate_that_takes_many_times_as_long_is_rejected(evaluated: Evaluated) -> None:
    done = evaluated("many_times_slower")
    assert done.code == 1, done.err
    assert "slower" in done.codes
    assert done.document["scenarios"]["small"]["speedup"]["estimate"] < 0.5


# ---- a gain that costs too much --------------------------------------------------------------------------


def test_ten_times_the_memory_and_a_slow_start_are_too_high_a_price(evaluated: Evaluated) -> None:
    done = evaluated("costly")
    assert done.code == 1, done.err
    states = {guard["metric"]: guard["state"] for guard in done.document["guards"]}
    assert states["peak_rss"] == "violated"
    # A start takes many times as long on a busy machine, and then it may be open which one took longer.
    assert states["cold_start"] in {"violated", "undecided"}


def test_a_gain_on_the_primary_scenario_does_not_hide_a_loss_on_a_stratum(evaluated: Evaluated) -> None:
    done = evaluated("slower_on_a_stratum")
    assert done.code == 1, done.err
    assert done.reason("stratum-slower").startswith("tiny: ")
    assert done.document["scenarios"]["small"]["speedup"]["estimate"] > 1
    assert {item["scenario"]: item["state"] for item in done.document["strata"]} == {
        "small": "holds",
        "tiny": "violated",
    }
    audited = prfpipe(done.home, "audit", str(done.bundle), "--json")
    assert (audited.code, audited.document["verdict"]) == (0, "reject"), audited.out
