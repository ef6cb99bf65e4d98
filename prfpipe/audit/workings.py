"""Every figure on the way from samples to verdict, for whoever wants to follow it by hand. Nothing is decided here."""

from collections.abc import Sequence
from fractions import Fraction

from prfpipe import figures, looks, stats
from prfpipe.models import (
    Arm,
    ClaimWord,
    Estimate,
    GuardResult,
    Invocation,
    Plan,
    Record,
    SampleSet,
    ScenarioResult,
    StratumResult,
    Verdict,
)


class LookWorkings(Record):
    """One look that the plan allowed, after so many `invocations`.

    `alpha_released`: the error rate that may have been spent by then, all earlier looks included. `critical_count`:
    which of the sorted pair means, counted from either end, bounds the interval; 0 where none does.
    """

    invocations: int
    alpha_released: float
    critical_count: int


class ScenarioWorkings(Record):
    """One scenario. The p50 are ns a sample, one entry an invocation; `ratios` are baseline / candidate of these.

    `pair_means` = n(n+1)/2 geometric means of pairs of ratios (Walsh averages on the log scale); their median is the
    Hodges-Lehmann estimate, and `ranks` (from 1) are those of the interval's bounds, None where n is too small.
    """

    scenario: str
    primary: bool
    must_hold: bool
    invocations: int
    confidence: float
    p50_ns: dict[Arm, tuple[int, ...]]
    ratios: tuple[float, ...]
    control_ratios: tuple[float, ...]
    looks: tuple[LookWorkings, ...]
    pair_means: int
    ranks: tuple[int, int] | None
    speedup: Estimate
    control: Estimate
    gains: dict[str, Estimate]
    resolvable_percent: float | None


class Workings(Record):
    """What was compared with what. `threshold`: the least speed-up that is a gain; `noise_floor`: of the A/A control.

    `claimed`: the expected range of the speed-up, whose lower end decides on the claim.
    """

    seed: int
    alpha: float
    threshold: float
    noise_floor: float | None
    claimed: tuple[float, float]
    claim: ClaimWord
    scenarios: tuple[ScenarioWorkings, ...]
    guards: tuple[GuardResult, ...]
    strata: tuple[StratumResult, ...]


def workings(plan: Plan, samples: SampleSet, verdict: Verdict) -> Workings:
    """The figures behind `verdict`, which must be the one that `verdict.decide` gives for plan and samples."""
    primary = next((result for result in verdict.scenarios if result.primary), None)
    return Workings(
        seed=plan.seed,
        alpha=plan.rule.alpha,
        threshold=float(1 + stats.exact(plan.rule.min_gain_percent) / 100),
        noise_floor=_noise_floor(primary.control) if primary else None,
        claimed=plan.rule.expected_speedup,
        claim=verdict.claim,
        scenarios=tuple(_scenario(plan, samples, result) for result in verdict.scenarios),
        guards=verdict.guards,
        strata=verdict.strata,
    )


def _noise_floor(control: Estimate) -> float | None:
    if control.low is None or control.high is None:
        return None
    return float(max(stats.exact(control.high), 1 / stats.exact(control.low)))


def _scenario(plan: Plan, samples: SampleSet, result: ScenarioResult) -> ScenarioWorkings:
    found = figures.counted(samples, result.scenario)
    pair_means, taken = len(found) * (len(found) + 1) // 2, _looks(plan, result.scenario, found)
    count = looks.taken(plan, result.scenario, found)[1]
    return ScenarioWorkings(
        scenario=result.scenario,
        primary=result.primary,
        must_hold=result.must_hold,
        invocations=len(found),
        confidence=result.confidence,
        p50_ns={arm: _medians(found, arm) for arm in result.arms},
        ratios=_ratios(found, "candidate"),
        control_ratios=_ratios(found, "control"),
        looks=taken,
        pair_means=pair_means,
        ranks=(count, pair_means + 1 - count) if count else None,
        speedup=result.speedup,
        control=result.control,
        gains=result.gains,
        resolvable_percent=result.resolvable_percent,
    )


def _looks(plan: Plan, scenario: str, found: Sequence[Invocation]) -> tuple[LookWorkings, ...]:
    sizes, released = [len(found)], [Fraction(1)]
    if scenario in plan.sequential:
        sizes, released = looks.allowed(plan, found)
    alpha = stats.exact(plan.rule.alpha)
    counts = stats.critical_counts(sizes, alpha, released)
    return tuple(
        LookWorkings(invocations=size, alpha_released=float(alpha * share), critical_count=count)
        for size, share, count in zip(sizes, released, counts, strict=True)
    )


def _medians(found: Sequence[Invocation], arm: Arm) -> tuple[int, ...]:
    return tuple(figures.latency(figures.P50)(item.arms[arm]) for item in found)


def _ratios(found: Sequence[Invocation], after: Arm) -> tuple[float, ...]:
    gains = figures.gains_of(found, "baseline", after, figures.latency(figures.P50))
    return tuple(stats.decimal(value) for value in gains)
