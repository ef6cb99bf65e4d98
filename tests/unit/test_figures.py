"""Figures from samples with known values, by hand and by symmetry."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe import figures, stats
from prfpipe.artifacts import derive
from prfpipe.models import ArmSamples, Invocation, SampleSet, ScenarioResult
from tests.support.decisions import PRIMARY, arm, decide, invocation, measured, plan, sample_set

ALL = Fraction(1)


def result(samples: SampleSet, count: int | None = None, group: int = 1) -> ScenarioResult:
    the_plan = plan()
    found = figures.counted(samples, PRIMARY)
    schedule = samples.schedules[0].model_copy(update={"group": group})
    count = figures.single_look(the_plan, len(found))[0] if count is None else count
    return figures.scenario_result(the_plan, schedule, found, looks=1, count=count, confidence=0.95)


def with_arm(item: Invocation, **changes: Any) -> Invocation:
    candidate = item.arms["candidate"].model_copy(update=changes)
    return item.model_copy(update={"arms": {**item.arms, "candidate": candidate}})


def test_each_metric_is_one_number_of_an_arm() -> None:
    samples = tuple(range(100, 0, -1))
    found = arm(5.0, {}).model_copy(update={"samples_ns": samples, "peak_rss_kib": 7, "cold_start_ns": 9})
    values = [figures.latency(q)(found) for q in (figures.P50, figures.P95, figures.P99)]
    assert values == [50, 95, 99]
    assert (figures.busy(found), figures.peak_rss(found), figures.cold_start(found)) == (5050, 7, 9)


def test_a_clock_that_stood_still_gives_one_nanosecond_and_no_division_by_zero() -> None:
    still = ArmSamples(
        cold_start_ns=0,
        samples_ns=(0, 0),
        wall_ns=(0,),
        cpu_ns=(0,),
        session_cpu_ns=0,
        peak_rss_kib=0,
        outputs="0" * 64,
    )
    assert [metric(still) for metric in (*figures.GAIN_METRICS.values(), figures.latency(figures.P50))] == [1] * 6


def test_a_gain_is_before_through_after_so_that_above_one_the_candidate_is_better() -> None:
    found = result(measured(plan(), 4.0, noise=0.0))
    assert (found.speedup.low, found.speedup.estimate, found.speedup.high) == (4.0, 4.0, 4.0)
    assert found.gains["throughput"].estimate == 4.0
    assert found.control.estimate == 1.0
    assert found.resolvable_percent == 0.0


def test_a_gain_too_small_for_six_decimals_stays_positive_since_others_divide_by_it() -> None:
    ten_million_times_slower = measured(plan(), 1e-7, noise=0.0)
    found = result(ten_million_times_slower)
    assert (found.speedup.low, found.speedup.estimate, found.speedup.high) == (1e-6, 1e-6, 1e-6)
    assert derive.improvement(found.speedup).estimate == pytest.approx(-1e8, rel=1e-3)
    assert decide(plan(("p99", 5.0)), ten_million_times_slower).verdict == "reject"


def test_two_copies_of_the_baseline_may_differ_by_any_factor_without_a_division_by_zero() -> None:
    the_plan = plan()
    assert decide(the_plan, measured(the_plan, 2.5, control=1e-8)).verdict == "undecided"


def test_latencies_and_throughput_are_those_of_an_operation_not_of_a_group() -> None:
    found = result(measured(plan(), 1.0, noise=0.0), group=50).arms["baseline"]
    assert found.p50_ns.estimate == 20_000.0
    assert found.certified.upper_bound_ns == 20_000.0
    assert found.throughput.estimate == 50_000.0
    assert (found.samples, found.operations) == (200, 10_000)


def test_memory_and_cold_start_are_whole_kibibytes_and_nanoseconds() -> None:
    found = result(measured(plan(), 1.0, shapes={"candidate": {"peak_rss": 1.5, "cold_start": 2.0}}))
    assert found.arms["candidate"].peak_rss_kib.estimate == 75_000.0
    assert found.arms["candidate"].cold_start_ns.estimate == 80_000_000.0
    assert found.gains["peak_rss"].estimate == 0.666667
    assert found.gains["cold_start"].estimate == 0.5


def test_without_a_count_there_are_estimates_and_no_bounds_anywhere() -> None:
    found = result(measured(plan(), 2.0), count=0)
    intervals = [found.speedup, found.control, *found.gains.values(), found.arms["baseline"].p99_ns]
    assert all(each.low is None and each.high is None and each.estimate > 0 for each in intervals)
    assert found.resolvable_percent is None


def test_what_could_be_resolved_is_half_the_interval_on_the_log_scale() -> None:
    one = stats.SCALE
    assert figures.resolvable_percent(stats.Interval(one, one * 100 // 121, one * 121 // 100)) == 21.0


@given(st.lists(st.floats(0.5, 4), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_figures_do_not_depend_on_the_order_of_invocations_or_of_samples(speedups: list[float], rng: Any) -> None:
    items = [invocation(i, speedup, seconds=1) for i, speedup in enumerate(speedups)]
    shuffled = [
        with_arm(item, samples_ns=tuple(rng.sample(item.arms["candidate"].samples_ns, 10)))
        for item in rng.sample(items, len(items))
    ]
    assert result(sample_set(shuffled)) == result(sample_set(items))


def test_excluded_invocations_and_other_scenarios_are_not_counted() -> None:
    items = [invocation(i, 2.0, seconds=1, excluded="pilot" if i == 1 else None) for i in range(3)]
    other = items[2].model_copy(update={"scenario": "other"})
    assert [item.index for item in figures.counted(sample_set([*items[:2], other]), PRIMARY)] == [0]


def test_a_single_look_spends_all_of_alpha() -> None:
    count, confidence = figures.single_look(plan(), 6)
    assert (count, confidence) == (1, 0.95)
    assert figures.single_look(plan(), 5)[0] == 0


# ---- certified quantiles --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "quantile", "bound"), [(1, 0.05, 1), (59, 0.95, 59), (298, 0.98, 297), (299, 0.99, 299), (473, 0.99, 472)]
)
def test_the_highest_quantile_that_n_allows_is_certified_by_an_order_statistic(
    n: int, quantile: float, bound: int
) -> None:
    found = figures.certify(range(1, n + 1), 1, Fraction(95, 100))
    assert (found.quantile, found.samples, found.confidence) == (quantile, n, 0.95)
    assert found.upper_bound_ns == bound


# ---- the baseline stage ---------------------------------------------------------------------------------


def baseline_only(samples: SampleSet) -> SampleSet:
    invocations = tuple(
        item.model_copy(update={"arms": {name: item.arms[name] for name in ("baseline", "control")}})
        for item in samples.invocations
    )
    return samples.model_copy(update={"invocations": invocations})


def test_the_baseline_is_reported_with_its_control_and_without_a_candidate() -> None:
    [found] = figures.baseline_results(plan(), baseline_only(measured(plan(), 1.0, control=1.1, noise=0.0)))
    assert (found.scenario, found.primary, found.invocations) == (PRIMARY, True, 20)
    assert sorted(found.arms) == ["baseline", "control"]
    assert found.control.estimate == pytest.approx(1.1, abs=1e-5)


def test_a_baseline_invocation_alone_has_figures_without_bounds() -> None:
    [found] = figures.baseline_results(plan(), baseline_only(measured(plan(), 1.0, n=1)))
    assert found.arms["baseline"].p50_ns.low is None
    assert found.arms["baseline"].p50_ns.estimate > 0


# ---- the same bits --------------------------------------------------------------------------------------


def test_golden_figures() -> None:
    found = result(measured(plan(), 1.7, noise=0.05))
    assert found.speedup.model_dump() == {"estimate": 1.684513, "low": 1.656532, "high": 1.717727}
    assert found.resolvable_percent == 1.83
