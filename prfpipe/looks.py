"""When the plan allows a look at a scenario's interval, and what confidence is left for it. Pure."""

from collections.abc import Sequence
from fractions import Fraction

from prfpipe import figures, stats
from prfpipe.models import Invocation, Plan

_NS = 1_000_000_000


def taken(plan: Plan, scenario: str, invocations: Sequence[Invocation]) -> tuple[int, int]:
    """How often a scenario has been looked at, and the critical count of its last look (0: no interval there).

    The primary scenario and the strata have looks of their own, by their own clocks; others have one, at the end.
    """
    if scenario not in plan.sequential:
        return 1, figures.single_look(plan, len(invocations))[0]
    sizes, released = allowed(plan, invocations)
    if not sizes or sizes[-1] < len(invocations):
        return len(sizes), 0
    return len(sizes), stats.critical_counts(sizes, stats.exact(plan.rule.alpha), released)[-1]


def allowed(plan: Plan, invocations: Sequence[Invocation]) -> tuple[list[int], list[Fraction]]:
    """The looks that the plan allows up to now: invocations at each, and the share of alpha released by it.

    A look comes with the first invocation that ends after a planned share of the time; the last one also waits for
    the smallest useful number of invocations. Under the null, time does not depend on which arm is which, so that
    looks by time keep the test exact.
    """
    rule, sizes, released = plan.rule, [], []
    pending = list(zip(rule.look_fractions, rule.look_weights, strict=True))
    total = Fraction(0)
    for n, invocation in enumerate(invocations, start=1):
        before = len(pending)
        while pending and _due(plan, n, invocation.elapsed_ns, pending[0][0], last=len(pending) == 1):
            total += stats.exact(pending.pop(0)[1])
        if len(pending) < before:
            sizes.append(n)
            released.append(total)
    return sizes, released


def is_due(plan: Plan, invocations: Sequence[Invocation]) -> bool:
    """Whether the plan allows a look right after the last of these invocations."""
    sizes, _ = allowed(plan, invocations)
    return bool(sizes) and sizes[-1] == len(invocations)


def at_cap(plan: Plan, invocations: Sequence[Invocation]) -> bool:
    """Whether the plan allows no further invocation."""
    return _due(plan, len(invocations), invocations[-1].elapsed_ns, plan.rule.look_fractions[-1], last=True)


def _due(plan: Plan, n: int, elapsed_ns: int, fraction: float, *, last: bool) -> bool:
    rule = plan.rule
    if n >= rule.max_invocations:
        return True
    in_time = elapsed_ns >= stats.exact(fraction) * stats.exact(rule.seconds) * _NS
    return in_time and (not last or n >= rule.min_invocations)
