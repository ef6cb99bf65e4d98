"""Samples and a budget -> pass, warn, fail or undecided, with exact bounds. No clock, no I/O.

A p99 passes where its upper bound is within the budget, fails where its lower bound is above, and is undecided else;
the bounds are order statistics at the looks of `boundaries`. An overhead is judged by the loop's own rule for strata.
"""

from collections.abc import Sequence
from fractions import Fraction

from prfpipe import stats
from prfpipe.artifacts import format as fmt
from prfpipe.errors import GateError, NothingMeasuredError
from prfpipe.figures import P50, P95, P99
from prfpipe.gates.boundaries import ERROR, SIZES, Look
from prfpipe.models import (
    BudgetInForce,
    CheckState,
    GateCheck,
    GateWord,
    Quantiles,
    ScenarioResult,
    StratumResult,
)

FIRST = 100
"""The doctrine's number of samples: its figures are always shown."""
_MS = 1_000_000
_MORE = (
    "it needs more invocations: a higher --effort, more --seconds, a larger --samples if given, or a quieter machine"
)
_NEVER_PASSES = "A gate that measured nothing never passes: look at what its subject wrote, and run it again."


def p99(budget: BudgetInForce, samples: Sequence[int], looks: Sequence[Look], warn_at_percent: float) -> GateCheck:
    """One subject's p99 against its budget in ms.

    Args:
        budget: what the subject may use; None as its budget is out of scope: shown, not judged.
        samples: latencies in ns, in the order they were taken.
        looks: the looks that may be taken, in order; the first that decides ends it.
        warn_at_percent: of the budget; a pass whose upper bound is above warns.

    Raises:
        NothingMeasuredError: there are no samples, or one is no duration.
    """
    _refuse_what_is_no_duration(budget.subject, samples)
    reached = [look for look in looks if look.samples <= len(samples)]
    state, look, taken = _first_decision(budget, samples, reached)
    seen = samples[: look.samples] if look else samples
    low, high = bounds(seen, look) if look else (None, None)
    value, upper = _ms(stats.quantile(seen, P99)), None if high is None else _ms(high)
    check = GateCheck(
        subject=budget.subject,
        state=_warned(state, budget, upper, warn_at_percent),
        message="",
        unit="ms",
        budget=budget.budget,
        used_percent=_used(budget, value if upper is None else upper),
        value=value,
        low=None if low is None else _ms(low),
        high=upper,
        samples=len(samples),
        decided_on=len(seen),
        over=None if budget.budget is None else _over(seen, budget.budget),
        looks=taken,
        confidence=float(1 - ERROR),
        first=quantiles(samples[:FIRST]),
        override=budget.override,
    )
    return check.model_copy(update={"message": _p99_message(check, budget, looks)})


def bounds(samples: Sequence[int], look: Look) -> tuple[int | None, int | None]:
    """Lower and upper bound of the p99 in ns at a look; the upper one is None where none exists at that n."""
    falling = sorted(samples, reverse=True)
    return falling[look.fails - 1], None if look.passes is None else falling[look.passes]


def quantiles(samples: Sequence[int]) -> Quantiles:
    """p50, p95 and p99 of at least one sample."""
    return Quantiles(
        samples=len(samples),
        p50_ns=stats.quantile(samples, P50),
        p95_ns=stats.quantile(samples, P95),
        p99_ns=stats.quantile(samples, P99),
    )


def _refuse_what_is_no_duration(subject: str, samples: Sequence[int]) -> None:
    if not samples:
        raise NothingMeasuredError(f"{subject}: no samples", hint=_NEVER_PASSES)
    for sample in samples:
        # Exactly int: NaN is a float that is above no budget, and True is an int.
        if type(sample) is not int or sample <= 0:
            raise NothingMeasuredError(f"{subject}: {sample!r} is no duration in ns", hint=_NEVER_PASSES)


def _first_decision(
    budget: BudgetInForce, samples: Sequence[int], looks: Sequence[Look]
) -> tuple[CheckState, Look | None, int]:
    for taken, look in enumerate(looks, start=1):
        state = _state(budget, *bounds(samples[: look.samples], look))
        if state in {"pass", "fail"}:
            return state, look, taken
    state = "undecided" if budget.budget is not None else "out-of-scope"
    return state, looks[-1] if looks else None, len(looks)


def _state(budget: BudgetInForce, low: int | None, high: int | None) -> CheckState:
    if budget.budget is None:
        return "out-of-scope"
    limit = stats.exact(budget.budget) * _MS
    if high is not None and high <= limit:
        return "pass"
    return "fail" if low is not None and low > limit else "undecided"


def _warned(state: CheckState, budget: BudgetInForce, high: float | None, warn_at_percent: float) -> CheckState:
    """A pass that uses more than its share of the budget, or passes only by an override, is told early."""
    if state != "pass" or budget.budget is None or high is None:
        return state
    early = stats.exact(budget.budget) * stats.exact(warn_at_percent) / 100
    standing = budget.budget if budget.standing is None else budget.standing
    return "warn" if stats.exact(high) > min(early, stats.exact(standing)) else state


def _over(samples: Sequence[int], budget_ms: float) -> int:
    limit = stats.exact(budget_ms) * _MS
    return sum(sample > limit for sample in samples)


def _ms(nanoseconds: int) -> float:
    return stats.decimal(stats.fixed(Fraction(nanoseconds, _MS)))


def _used(budget: BudgetInForce, figure: float) -> float | None:
    if budget.budget is None:
        return None
    return stats.decimal(stats.fixed(100 * max(stats.exact(figure), Fraction(0)) / stats.exact(budget.budget)), 1)


def _p99_message(check: GateCheck, budget: BudgetInForce, looks: Sequence[Look]) -> str:
    if budget.budget is None:
        return budget.out_of_scope
    seen = f"{check.over} of {check.decided_on} over {budget.budget:g} ms"
    match check.state:
        case "fail":
            return f"p99 is above its budget: at least {check.low:.4g} ms; {seen}"
        case "pass" | "warn":
            return f"p99 is at most {check.high:.4g} ms; {seen}{_early(check, budget)}"
        case _:
            return f"{seen}; {_what_it_needs(check, looks)}"


def _early(check: GateCheck, budget: BudgetInForce) -> str:
    if check.state != "warn":
        return ""
    by = f", under an override {budget.override}" if budget.override else ""
    return f"; that is {check.used_percent:.0f} % of the budget{by}"


def _what_it_needs(check: GateCheck, looks: Sequence[Look]) -> str:
    if not looks:
        return f"{check.samples} samples decide nothing, the first look is at {SIZES[0]}"
    further = next((look for look in looks if look.samples > check.samples), None)
    if further:
        return f"only {check.samples} samples were given, the next look is at {further.samples}"
    return "it needs more samples: a higher --effort or --samples"


# ---- overhead -------------------------------------------------------------------------------------------


def overhead(
    budget: BudgetInForce,
    stratum: StratumResult,
    result: ScenarioResult,
    warn_at_percent: float,
    doubts: Sequence[str] = (),
) -> GateCheck:
    """One hot path's overhead against its budget in percent, by `limits.stratum_result` at that budget.

    Raises:
        NothingMeasuredError: there are no invocations.
        GateError: the stratum was judged at another margin than the budget.
    """
    if result.invocations < 1:
        raise NothingMeasuredError(f"{budget.subject}: no invocations", hint=_NEVER_PASSES)
    if budget.budget is not None and stratum.margin_percent != budget.budget:
        raise GateError(
            f"{budget.subject}: judged at {stratum.margin_percent:g} %, but its budget is {budget.budget:g} %",
            hint="The measuring has to take the budget in force.",
        )
    value, high = _overhead(result.speedup.estimate), stratum.worst_percent
    state = _overhead_state(budget, stratum, doubts)
    return GateCheck(
        subject=budget.subject,
        state=_warned(state, budget, high, warn_at_percent),
        message=_overhead_message(_warned(state, budget, high, warn_at_percent), budget, stratum, doubts),
        unit="percent",
        budget=budget.budget,
        used_percent=_used(budget, value if high is None else high),
        value=value,
        low=None if result.speedup.high is None else _overhead(result.speedup.high),
        high=high,
        samples=result.invocations,
        decided_on=result.invocations,
        looks=result.looks,
        confidence=result.confidence,
        override=budget.override,
    )


def _overhead(speedup: float) -> float:
    """Off / on as the percent that on takes longer."""
    return stats.decimal(stats.fixed(100 * (1 / stats.exact(speedup) - 1)), 3)


def _overhead_state(budget: BudgetInForce, stratum: StratumResult, doubts: Sequence[str]) -> CheckState:
    if budget.budget is None:
        return "out-of-scope"
    if doubts:
        return "undecided"
    states: dict[str, CheckState] = {"holds": "pass", "violated": "fail", "undecided": "undecided"}
    return states[stratum.state]


def _overhead_message(state: CheckState, budget: BudgetInForce, stratum: StratumResult, doubts: Sequence[str]) -> str:
    if budget.budget is None:
        return "; ".join((budget.out_of_scope, *doubts))
    if doubts:
        return "; ".join(doubts)
    if stratum.worst_percent is None:
        return f"too few invocations for an interval: {_MORE}"
    limit, worst = f"{budget.budget:g} %", fmt.show_worst(stratum.worst_percent, budget.budget)
    if state == "fail":
        return f"the overhead is above its budget of {limit}; it may be as much as {worst}"
    known = f"the overhead may be as much as {worst}, its budget is {limit}"
    by = f", under an override {budget.override}" if budget.override and state == "warn" else ""
    return f"{known}; {_MORE}" if state == "undecided" else f"{known}{by}"


# ---- the gate -------------------------------------------------------------------------------------------


def word(checks: Sequence[GateCheck]) -> GateWord:
    """The gate's answer: fail if any check fails, else undecided if any is, else warn if any does, else pass.

    Raises:
        NothingMeasuredError: no check is in scope.
    """
    states = {check.state for check in checks} - {"out-of-scope"}
    if not states:
        raise NothingMeasuredError("no subject of this gate has a budget", hint=_NEVER_PASSES)
    order: tuple[GateWord, ...] = ("fail", "undecided", "warn", "pass")
    return next(state for state in order if state in states)
