"""What several artifacts say about the same records: metrics side by side, gains, claim, certified tail."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.names import clean
from prfpipe.models import ArmSummary, Certified, Estimate, GuardResult, Plan, ScenarioResult, StratumResult, Verdict
from prfpipe.stats import exact

Position = Literal["above", "inside", "below", "straddles", "unknown"]
_WANTED_TAIL = Fraction(99, 100)


@dataclass(frozen=True)
class Metric:
    """`field` of ArmSummary, `gain` of ScenarioResult.gains (None: the speed-up), and how to show it."""

    title: str
    field: str
    gain: str | None
    unit: fmt.Unit
    higher_is_better: bool = False


METRICS = (
    Metric("p50 latency", "p50_ns", None, fmt.DURATION),
    Metric("p95 latency", "p95_ns", "p95", fmt.DURATION),
    Metric("p99 latency", "p99_ns", "p99", fmt.DURATION),
    Metric("throughput", "throughput", "throughput", fmt.RATE, higher_is_better=True),
    Metric("peak RSS", "peak_rss_kib", "peak_rss", fmt.MEMORY),
    Metric("cold start", "cold_start_ns", "cold_start", fmt.DURATION),
)


@dataclass(frozen=True)
class Row:
    """One metric of one scenario, both variants side by side."""

    metric: Metric
    baseline: Estimate
    candidate: Estimate
    gain: Estimate | None
    improvement: Estimate | None


def figure(arm: ArmSummary, metric: Metric) -> Estimate:
    """The metric's figure of one arm."""
    value: Estimate = getattr(arm, metric.field)
    return value


def rows(result: ScenarioResult) -> Iterator[Row]:
    """All metrics of a scenario; gains are ratios above 1 where the candidate is better."""
    baseline, candidate = result.arms["baseline"], result.arms["candidate"]
    for metric in METRICS:
        gain = result.gains.get(metric.gain) if metric.gain else result.speedup
        better = improvement(gain, higher_is_better=metric.higher_is_better) if gain else None
        yield Row(metric, figure(baseline, metric), figure(candidate, metric), gain, better)


def improvement(gain: Estimate, *, higher_is_better: bool = False) -> Estimate:
    """Percent of the baseline: of throughput gained, of time or memory saved; below 0 it got worse."""

    def percent(ratio: float | None) -> float | None:
        if ratio is None:
            return None
        return round((ratio - 1) * 100 if higher_is_better else (1 - 1 / ratio) * 100, 6)

    return Estimate(estimate=percent(gain.estimate) or 0.0, low=percent(gain.low), high=percent(gain.high))


def overhead(gain: Estimate) -> Estimate:
    """Percent of the baseline's time that the candidate adds; below 0 it takes less."""
    saved = improvement(gain)
    return Estimate(
        estimate=0.0 - saved.estimate,
        low=None if saved.high is None else 0.0 - saved.high,
        high=None if saved.low is None else 0.0 - saved.low,
    )


def primary(verdict: Verdict) -> ScenarioResult | None:
    """The scenario that the verdict is about, if the run came as far as measuring it."""
    return next((result for result in verdict.scenarios if result.primary), None)


def sentence(verdict: Verdict) -> str:
    """Verdict, claim and why."""
    return f"{verdict.verdict}, claim {verdict.claim}. {headline(verdict)}"


def headline(verdict: Verdict) -> str:
    """Why, in one sentence: what was gained for `adopt`, else the first reason."""
    result = primary(verdict)
    if verdict.verdict == "adopt" and result:
        held = _held(verdict.guards, "guards") + _held(verdict.strata, "strata")
        return (
            f"{clean(result.scenario)} runs {fmt.show_point(result.speedup, fmt.RATIO)} as fast "
            f"({result.confidence * 100:g} % interval {fmt.show_interval(result.speedup, fmt.RATIO)}), "
            f"with the same outputs{held}{_slower_elsewhere(verdict)}."
        )
    text = clean(verdict.reasons[0].message, 1000) if verdict.reasons else "No reason was recorded"
    # A reason that begins with a scenario or a metric keeps that name as it is written.
    named = text.partition(" ")[0].endswith(":")
    return f"{text[:1] if named else text[:1].upper()}{text[1:].rstrip('.')}."


def _held(limits: Sequence[GuardResult | StratumResult], what: str) -> str:
    held = sum(item.state == "holds" for item in limits)
    return f"; {held} of {len(limits)} {what} hold" if limits else ""


def _slower_elsewhere(verdict: Verdict) -> str:
    """A gain on the primary scenario must not hide a loss on another."""
    slower = [item for item in verdict.scenarios if item.speedup.high is not None and item.speedup.high < 1]
    shown = ", ".join(f"{clean(item.scenario)} ({fmt.show_point(item.speedup, fmt.RATIO)})" for item in slower)
    return f"; slower in {shown}" if shown else ""


def position(speedup: Estimate, expected: tuple[float, float]) -> Position:
    """Where an interval lies against the expected range."""
    if speedup.low is None or speedup.high is None:
        return "unknown"
    if speedup.high < expected[0]:
        return "below"
    if speedup.low > expected[1]:
        return "above"
    return "inside" if speedup.low >= expected[0] and speedup.high <= expected[1] else "straddles"


def claim_word(result: ScenarioResult, verdict: Verdict, expected: tuple[float, float]) -> str:
    """The claim itself for the primary scenario; for the others only where they lie against its range."""
    return verdict.claim.replace("-", " ") if result.primary else f"({position(result.speedup, expected)})"


def samples_needed(quantile: Fraction, confidence: Fraction) -> int:
    """The smallest n for which the largest sample bounds `quantile` from above: quantile**n <= error."""
    n, power = 1, quantile
    while power > 1 - confidence:
        n, power = n + 1, power * quantile
    return n


def certified_line(certified: Certified) -> str:
    """What the tail measurements certify, in one sentence that says so when p99 is out of reach."""
    level = f"{certified.confidence * 100:g} %"
    bound = f"p{certified.quantile * 100:g} ≤ {fmt.show(certified.upper_bound_ns, fmt.DURATION)}"
    if exact(certified.quantile) >= _WANTED_TAIL:
        return f"{bound}, certified at {level} (n={certified.samples:,})"
    needed = samples_needed(_WANTED_TAIL, exact(certified.confidence))
    reach = "no quantile is certified" if certified.quantile <= 0 else f"the highest is {bound}"
    return f"p99 certified at {level} needs {needed} samples; with n={certified.samples:,} {reach}"


def heading(plan: Plan) -> dict[str, Any]:
    """What every JSON artifact begins with, after its format."""
    return {
        "run_id": plan.run_id,
        "lever": plan.lever.id,
        "effort": plan.effort.value,
        "timestamp": plan.provenance.created_at,
        "git_commit": plan.provenance.git_commit,
        "git_dirty": plan.provenance.git_dirty,
    }


def estimate_json(figure: Estimate | None) -> dict[str, float | None] | None:
    """An estimate as a JSON value."""
    return None if figure is None else figure.model_dump()
