"""Small statistics of the calibration: exact binomial intervals, Student's t, spreads. Pure."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean, stdev, variance
from typing import NamedTuple

_STEPS = 2000


class Test(NamedTuple):
    """A two-sided t test: `t` is positive when the second sample is larger."""

    t: float
    freedom: float
    p: float


def welch(before: Sequence[float], after: Sequence[float]) -> Test:
    """Welch's t test of two means (Welch 1947), as hyperfine's scripts/welch_ttest.py makes it."""
    a, b = variance(before) / len(before), variance(after) / len(after)
    if a + b == 0:
        return Test(0.0, 1.0, 1.0)
    t = (fmean(after) - fmean(before)) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(before) - 1) + b**2 / (len(after) - 1))
    return Test(t, freedom, two_sided_p(t, freedom))


def two_sided_p(t: float, freedom: float) -> float:
    """P(|T| >= |t|) of Student's distribution: its density integrated over the angle by Simpson's rule.

    With x = sqrt(freedom) tan(angle) the density is a power of the cosine, smooth and bounded for every t.
    """
    end = math.atan(abs(t) / math.sqrt(freedom))
    step = end / _STEPS
    heights = [math.pow(math.cos(i * step), freedom - 1) for i in range(_STEPS + 1)]
    area = step / 3 * (heights[0] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]) + heights[-1])
    log_factor = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    return max(0.0, 1 - 2 * area * math.exp(log_factor) / math.sqrt(math.pi))


def binomial_interval(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of Clopper & Pearson (1934) for a share of `hits` in `n`."""
    error = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _root(lambda p: _at_least(hits, n, p) - error)
    high = 1.0 if hits == n else _root(lambda p: error - _at_most(hits, n, p))
    return low, high


def _at_most(hits: int, n: int, p: float) -> float:
    return math.fsum(_exactly(k, n, p) for k in range(hits + 1))


def _at_least(hits: int, n: int, p: float) -> float:
    return math.fsum(_exactly(k, n, p) for k in range(hits, n + 1))


def _exactly(hits: int, n: int, p: float) -> float:
    return math.comb(n, hits) * math.pow(p, hits) * math.pow(1 - p, n - hits)


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function on [0, 1] crosses zero."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def spread(values: Sequence[float]) -> float | None:
    """Sample standard deviation; None where there is only one value."""
    return stdev(values) if len(values) > 1 else None
