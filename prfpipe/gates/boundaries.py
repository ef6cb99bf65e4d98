"""The exact sequential rule for a p99: at each look, how many samples over the budget pass it and how many fail it.

n samples, X of them over the budget. If the true p99 is the budget, X is binomial with 1 %. A look passes with
X <= `passes` and fails with X >= `fails`. Both limits are as wide as they can be while the chance to pass at this look
or any before, where the p99 is at the budget or above, stays at or below the share of the error that the look
releases (and the same for failing, where it is at the budget or below). That is alpha spending (Lan & DeMets 1983)
with the exact joint distribution of the looks, in integers over the denominator 100**n. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb

SIZES = (100, 370, 600, 800, 1000, 1500, 2000)
"""Samples at each look: the doctrine's 100, then as many as a first pass needs without any over the budget, and on."""
RELEASED = tuple(Fraction(percent, 100) for percent in (8, 50, 68, 77, 84, 94, 100))
"""The share of the error that may have been spent by each look."""
ERROR = Fraction(1, 20)
"""The chance to pass what is at its budget or above, over all looks together; and to fail what is not above it."""
_OVER = Fraction(1, 100)


@dataclass(frozen=True)
class Look:
    """At `samples`, up to `passes` over the budget pass (None: nothing does yet), and `fails` or more fail."""

    samples: int
    passes: int | None
    fails: int


def looks_up_to(samples: int) -> tuple[Look, ...]:
    """The looks of the rule that so many samples allow."""
    return tuple(look for look in looks() if look.samples <= samples)


@lru_cache(maxsize=8)
def looks(
    sizes: tuple[int, ...] = SIZES, released: tuple[Fraction, ...] = RELEASED, error: Fraction = ERROR
) -> tuple[Look, ...]:
    """The rule: a look for each size, in order."""
    allowed = [error * share for share in released]
    passes, fails = _passes(sizes, allowed), _fails(sizes, allowed)
    return tuple(
        Look(n, most if most >= 0 else None, least) for n, most, least in zip(sizes, passes, fails, strict=True)
    )


def _passes(sizes: Sequence[int], allowed: Sequence[Fraction]) -> list[int]:
    """The largest X that passes at each look; -1 where not even 0 may."""
    going, before, spent, found = [1], 0, 0, []
    for n, share in zip(sizes, allowed, strict=True):
        counts = _grown(going, n - before, at_most=_enough(n))
        spent, limit = spent * _whole(n - before), _limit(share, n)
        most = -1
        while spent + counts[most + 1] <= limit:
            most += 1
            spent += counts[most]
        going, before = [0] * (most + 1) + counts[most + 1 :], n
        found.append(most)
    return found


def _fails(sizes: Sequence[int], allowed: Sequence[Fraction]) -> list[int]:
    """The smallest X that fails at each look."""
    going, before, spent, found = [1], 0, 0, []
    for n, share in zip(sizes, allowed, strict=True):
        counts = _grown(going, n - before, at_most=_enough(n))
        spent, left = spent * _whole(n - before), sum(going) * _whole(n - before)
        limit, least = _limit(share, n), 0
        while spent + left > limit:
            left -= counts[least]
            least += 1
        spent, going, before = spent + left, counts[:least], n
        found.append(least)
    return found


def _limit(share: Fraction, n: int) -> int:
    """The largest weight over the denominator for n samples that is at most `share`."""
    return share.numerator * _whole(n) // share.denominator


def _whole(n: int) -> int:
    whole: int = _OVER.denominator**n
    return whole


def _enough(n: int) -> int:
    """More samples over the budget than any limit at n: twice the mean, and then some."""
    return n // 50 + 20


def _grown(going: Sequence[int], more: int, *, at_most: int) -> list[int]:
    """Weights of X = 0..at_most after `more` samples, over the denominator for all samples so far."""
    under = _OVER.denominator - _OVER.numerator
    steps = [comb(more, j) * under ** (more - j) for j in range(min(more, at_most) + 1)]
    return [
        sum(weight * steps[x - j] for j, weight in enumerate(going) if weight and 0 <= x - j < len(steps))
        for x in range(at_most + 1)
    ]
