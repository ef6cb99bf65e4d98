"""Samples -> figures: estimates with intervals, per arm and between arms. Pure; see `stats` for the methods."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from prfpipe import stats
from prfpipe.models import (
    ARMS,
    Arm,
    ArmSamples,
    ArmSummary,
    BaselineResult,
    Certified,
    Estimate,
    Invocation,
    Plan,
    SampleSet,
    ScenarioResult,
    Schedule,
)

P50, P95, P99 = Fraction(1, 2), Fraction(95, 100), Fraction(99, 100)

Metric = Callable[[ArmSamples], int]


def baseline_results(plan: Plan, samples: SampleSet) -> tuple[BaselineResult, ...]:
    """Figures of the baseline stage, a record for each scenario that was measured."""
    return tuple(_baseline_result(plan, samples, schedule) for schedule in samples.schedules)


def _baseline_result(plan: Plan, samples: SampleSet, schedule: Schedule) -> BaselineResult:
    invocations = counted(samples, schedule.scenario)
    count, confidence = single_look(plan, len(invocations))
    return BaselineResult(
        scenario=schedule.scenario,
        primary=schedule.scenario == plan.lever.primary.name,
        invocations=len(invocations),
        confidence=confidence,
        control=estimate(stats.location(gains_of(invocations, "baseline", "control", latency(P50)), count)),
        arms={arm: summarize(plan, schedule, invocations, arm, count) for arm in ARMS if arm in invocations[0].arms},
    )


def scenario_result(
    plan: Plan,
    schedule: Schedule,
    invocations: Sequence[Invocation],
    *,
    looks: int,
    count: int,
    confidence: float,
) -> ScenarioResult:
    """All figures of one scenario at one critical count (`stats.critical_counts`)."""
    speedup = stats.location(gains_of(invocations, "baseline", "candidate", latency(P50)), count)
    others = {
        name: estimate(stats.location(gains_of(invocations, "baseline", "candidate", metric), count))
        for name, metric in GAIN_METRICS.items()
    }
    control = stats.location(gains_of(invocations, "baseline", "control", latency(P50)), count)
    return ScenarioResult(
        scenario=schedule.scenario,
        primary=schedule.scenario == plan.lever.primary.name,
        invocations=len(invocations),
        confidence=confidence,
        looks=looks,
        speedup=estimate(speedup),
        gains=others,
        control=estimate(control),
        resolvable_percent=resolvable_percent(speedup),
        arms={arm: summarize(plan, schedule, invocations, arm, count) for arm in ARMS},
        must_hold=schedule.scenario in plan.rule.must_hold,
    )


def counted(samples: SampleSet, scenario: str) -> list[Invocation]:
    """The invocations of a scenario that count, in order; excluded ones stay in the file and out of the figures."""
    return [item for item in samples.invocations if item.scenario == scenario and item.excluded is None]


def single_look(plan: Plan, n: int) -> tuple[int, float]:
    """Critical count and confidence for figures that are looked at only once, at the end."""
    alpha = stats.exact(plan.rule.alpha)
    return stats.critical_counts([n], alpha, [Fraction(1)])[0], float(1 - alpha)


# ---- metrics: one positive integer per arm and invocation; smaller is better -----------------------------


def latency(q: Fraction) -> Metric:
    """The nearest-rank quantile of the invocation's samples, in ns."""
    return lambda arm: max(stats.quantile(_ordered(arm.samples_ns), q), 1)


@lru_cache(maxsize=8192)
def _ordered(samples: tuple[int, ...]) -> tuple[int, ...]:
    # Each quantile of each figure at each look asks for the same order again.
    return tuple(sorted(samples))


def busy(arm: ArmSamples) -> int:
    """Time in operations, in ns: for equal operations its ratio is that of the throughputs."""
    return max(sum(arm.samples_ns), 1)


def peak_rss(arm: ArmSamples) -> int:
    """Peak resident memory in KiB."""
    return max(arm.peak_rss_kib, 1)


def cold_start(arm: ArmSamples) -> int:
    """Spawn to first answered operation, in ns."""
    return max(arm.cold_start_ns, 1)


GAIN_METRICS: dict[str, Metric] = {
    "p95": latency(P95),
    "p99": latency(P99),
    "throughput": busy,
    "peak_rss": peak_rss,
    "cold_start": cold_start,
}


def gains_of(invocations: Sequence[Invocation], before: Arm, after: Arm, metric: Metric) -> list[int]:
    """Paired ratios before / after in fixed point, one an invocation; above one, `after` is better."""
    return [stats.ratio(metric(item.arms[before]), metric(item.arms[after])) for item in invocations]


def estimate(interval: stats.Interval, places: int = 6) -> Estimate:
    """A fixed-point interval as a record for people and JSON; what is positive stays so, since others divide by it."""

    def rounded(value: int) -> float:
        return max(stats.decimal(value, places), float(f"1e-{places}"))

    return Estimate(
        estimate=rounded(interval.estimate),
        low=None if interval.low is None else rounded(interval.low),
        high=None if interval.high is None else rounded(interval.high),
    )


def resolvable_percent(interval: stats.Interval) -> float | None:
    """The effect that this run could resolve: half the interval's width on the log scale, in percent."""
    if interval.low is None or interval.high is None:
        return None
    half = isqrt(stats.ratio(interval.high, interval.low) << stats.SCALE_BITS)
    return stats.decimal(100 * (half - stats.SCALE), 3)


# ---- one arm --------------------------------------------------------------------------------------------


def summarize(plan: Plan, schedule: Schedule, invocations: Sequence[Invocation], arm: Arm, count: int) -> ArmSummary:
    """Figures of one arm: latencies in ns per operation, throughput in operations per second."""
    found = [item.arms[arm] for item in invocations]
    pooled = sorted(sample for item in found for sample in item.samples_ns)

    def over_invocations(value: Callable[[ArmSamples], int], places: int = 3) -> Estimate:
        return estimate(stats.location([value(item) for item in found], count), places)

    def per_operation(q: Fraction) -> Estimate:
        return over_invocations(lambda item: stats.ratio(latency(q)(item), schedule.group))

    return ArmSummary(
        p50_ns=per_operation(P50),
        p95_ns=per_operation(P95),
        p99_ns=per_operation(P99),
        throughput=over_invocations(
            lambda item: stats.ratio(len(item.samples_ns) * schedule.group * 1_000_000_000, busy(item))
        ),
        peak_rss_kib=over_invocations(lambda item: peak_rss(item) << stats.SCALE_BITS, 0),
        cold_start_ns=over_invocations(lambda item: cold_start(item) << stats.SCALE_BITS, 0),
        certified=certify(pooled, schedule.group, stats.exact(plan.rule.tail_confidence)),
        samples=len(pooled),
        operations=len(pooled) * schedule.group,
    )


def certify(pooled: Sequence[int], group: int, confidence: Fraction) -> Certified:
    """The highest quantile up to p99 that this many samples can bound, from sorted samples taken as independent."""
    q = stats.certified_quantile(len(pooled), P99, confidence)
    dropped = stats.exceedances(len(pooled), q, confidence) if q else None
    return Certified(
        quantile=float(q),
        upper_bound_ns=stats.decimal(stats.ratio(max(pooled[-1 - (dropped or 0)], 1), group), 3),
        samples=len(pooled),
        confidence=float(confidence),
    )
