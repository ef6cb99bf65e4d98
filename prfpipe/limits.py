"""What an interval says about a limit: guards of the primary scenario, and strata. Pure.

A limit holds if the interval excludes what is worse, is violated if the interval lies beyond it, and is undecided else.
"""

from fractions import Fraction
from typing import Literal

from prfpipe import stats
from prfpipe.models import DecisionRule, Estimate, Guard, GuardResult, ScenarioResult, StratumResult

State = Literal["holds", "violated", "undecided"]


def guard_result(guard: Guard, primary: ScenarioResult | None) -> GuardResult:
    """A guard on the primary scenario; undecided where nothing was measured.

    A limit on latency or memory is a share of the baseline's that may be added, one on throughput a share of the
    baseline's that may be lost; the worst case is told in the same words.
    """
    gain = primary.gains[guard.metric] if primary else None
    falls = guard.metric == "throughput"
    limit = stats.exact(guard.max_regression_percent) / 100
    return GuardResult(
        metric=guard.metric,
        state=_state(gain, 1 - limit if falls else 1 / (1 + limit)),
        max_regression_percent=guard.max_regression_percent,
        worst_percent=_worst_percent(gain, falls=falls),
    )


def stratum_result(rule: DecisionRule, scenario: str, result: ScenarioResult | None) -> StratumResult:
    """A scenario that must hold; undecided where nothing was measured."""
    speedup = result.speedup if result else None
    margin = stats.exact(rule.non_inferiority_percent) / 100
    return StratumResult(
        scenario=scenario,
        state=_state(speedup, 1 / (1 + margin)),
        margin_percent=rule.non_inferiority_percent,
        worst_percent=_worst_percent(speedup),
    )


def stands_despite_bias(stratum: StratumResult, result: ScenarioResult) -> bool:
    """Whether the answer is the same with the bias of the A/A control added, the largest that its interval allows.

    Two copies of one program that differ by half a percent say nothing against a bound that has two percent to spare.
    """
    control, low, high = result.control, result.speedup.low, result.speedup.high
    if control.low is None or control.high is None or low is None or high is None:
        return False
    bias = max(stats.exact(control.high), 1 / stats.exact(control.low))
    floor = 1 / (1 + stats.exact(stratum.margin_percent) / 100)
    if stratum.state == "holds":
        return stats.exact(low) / bias >= floor
    return stratum.state == "violated" and stats.exact(high) * bias < floor


def places_beside(limit: float, worst: float) -> int:
    """As few decimals as keep a worst case on its own side of the limit beside it."""
    return next((places for places in (1, 2) if (round(worst, places) > limit) == (worst > limit)), 3)


def _state(gain: Estimate | None, floor: Fraction) -> State:
    if gain is None or gain.low is None or gain.high is None:
        return "undecided"
    if stats.exact(gain.low) >= floor:
        return "holds"
    return "violated" if stats.exact(gain.high) < floor else "undecided"


def _worst_percent(gain: Estimate | None, *, falls: bool = False) -> float | None:
    if gain is None or gain.low is None:
        return None
    low = stats.exact(gain.low)
    return stats.decimal(stats.fixed(100 * (1 - low if falls else 1 / low - 1)), 3)
