"""Pure statistics: integers in, exact decisions out; no clock, no random numbers, no floating point on the way.

A ratio is held in fixed point with `SCALE` = 2**96 as its one, so that every figure is the same bits on every
machine and Python version. The methods:

- per invocation, a nearest-rank order statistic (`quantile`);
- over invocations, the Hodges-Lehmann estimate on the log scale (median of the geometric means of all pairs)
  with the exact interval of Wilcoxon's signed-rank statistic (Hollander, Wolfe & Chicken 2014, section 3.2-3.3);
- for looking more than once, repeated confidence intervals (Jennison & Turnbull 1989) whose error rates add up
  to at most alpha, so that no assumption about the dependence between looks is needed (`critical_counts`);
- for tails, the exact binomial bound of an order statistic (David & Nagaraja 2003, section 7.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isqrt

SCALE_BITS = 96
SCALE = 1 << SCALE_BITS


def ratio(numerator: int, denominator: int) -> int:
    """`numerator / denominator` in fixed point; both must be positive.

    Raises:
        ValueError: one of them is not positive.
    """
    if numerator <= 0 or denominator <= 0:
        raise ValueError(f"a ratio of {numerator} and {denominator}: both must be positive")
    return (numerator << SCALE_BITS) // denominator


def exact(value: float | str) -> Fraction:
    """The rational that a person meant by a decimal number: 0.01 is 1/100."""
    return Fraction(str(value))


def fixed(value: Fraction) -> int:
    """A rational in fixed point."""
    return value.numerator * SCALE // value.denominator


def decimal(value: int, places: int = 6) -> float:
    """A fixed-point value rounded half up to `places` decimals, as the float nearest to that decimal."""
    unit: int = 10**places
    return ((value * unit * 2 + SCALE) // (2 * SCALE)) / unit


def quantile(values: Sequence[int], q: Fraction) -> int:
    """Nearest-rank order statistic: the smallest value with at least a share `q` of the values at or below it."""
    rank = -(-q.numerator * len(values) // q.denominator)
    return sorted(values)[max(rank, 1) - 1]


# ---- location over invocations --------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """Fixed-point estimate and bounds; the bounds are None where n is too small for the confidence asked."""

    estimate: int
    low: int | None
    high: int | None


def location(values: Sequence[int], count: int) -> Interval:
    """Hodges-Lehmann estimate of positive fixed-point `values` with its exact signed-rank interval.

    `count` is the critical count of `critical_counts` for len(values); 0 gives an interval without bounds.
    """
    means = sorted(isqrt(a * b) for i, a in enumerate(values) for b in values[i:])
    middle = len(means) // 2
    estimate = means[middle] if len(means) % 2 else isqrt(means[middle - 1] * means[middle])
    if count == 0:
        return Interval(estimate, None, None)
    return Interval(estimate, means[count - 1], means[-count])


def critical_counts(looks: Sequence[int], alpha: Fraction, released: Sequence[Fraction]) -> tuple[int, ...]:
    """For each look at `looks[k]` invocations, which ordered pair mean bounds the interval (0: none does).

    By look k, error up to `alpha * released[k]` may have been spent over all looks together; what an earlier look
    could not use (the statistic is discrete) is left for later ones. The union bound makes all intervals hold
    together with confidence 1 - alpha.
    """
    spent, counts = Fraction(0), []
    for n, share in zip(looks, released, strict=True):
        available = alpha * share - spent
        count = _largest_count(n, available)
        spent += 2 * _tail(n, count)
        counts.append(count)
    return tuple(counts)


def smallest_n(alpha: Fraction) -> int:
    """The smallest number of invocations for which a two-sided interval at `alpha` exists: 2**(1-n) <= alpha."""
    n = 1
    while Fraction(2, 1 << n) > alpha:
        n += 1
    return n


def _largest_count(n: int, available: Fraction) -> int:
    count = 0
    while count < n * (n + 1) // 4 and 2 * _tail(n, count + 1) <= available:
        count += 1
    return count


def _tail(n: int, count: int) -> Fraction:
    """P(T <= count - 1) of the signed-rank statistic T under the null; 0 for count 0."""
    return Fraction(_cumulative(n)[count - 1], 1 << n) if count else Fraction(0)


@lru_cache(maxsize=512)
def _cumulative(n: int) -> tuple[int, ...]:
    """Number of sign patterns with T <= t, for t up to the middle.

    The generating function prod(1 + x**k) is evaluated at x = 2**width: one big integer holds all coefficients.
    """
    width = n + 1
    packed = 1
    for k in range(1, n + 1):
        packed += packed << (width * k)
    mask, total, sums = (1 << width) - 1, 0, []
    size = (n * (n + 1) // 4 + 1) * width
    digits = (packed & ((1 << size) - 1)).to_bytes(-(-size // 8), "little")
    for t in range(n * (n + 1) // 4 + 1):
        start = t * width
        window = int.from_bytes(digits[start // 8 : (start + width) // 8 + 1], "little")
        total += (window >> (start % 8)) & mask
        sums.append(total)
    return tuple(sums)


# ---- tails ----------------------------------------------------------------------------------------------


def exceedances(n: int, q: Fraction, confidence: Fraction) -> int | None:
    """How many of the largest of n values may be dropped so that the next one still bounds quantile `q` from above.

    None when not even the maximum does (q**n > 1 - confidence): p99 at 95 % needs n = 299 for 0, 473 for 1.
    """
    return _exceedances(n, q, 1 - confidence)


@lru_cache(maxsize=256)
def _exceedances(n: int, q: Fraction, error: Fraction) -> int | None:
    # P(at most k of n exceed the quantile) <= error, in integers over the denominator (q.denominator)**n.
    over = q.denominator - q.numerator
    limit = error.numerator * q.denominator**n // error.denominator
    term = total = q.numerator**n
    k = 0
    while total <= limit:
        term = term * (n - k) * over // ((k + 1) * q.numerator)
        total += term
        k += 1
    return k - 1 if k else None


def certified_quantile(n: int, wanted: Fraction, confidence: Fraction) -> Fraction:
    """The highest quantile up to `wanted`, in steps of 1 %, whose upper bound exists at n; 0 when none does."""
    percent = int(wanted * 100)
    while percent and Fraction(percent, 100) ** n > 1 - confidence:
        percent -= 1
    return Fraction(percent, 100)
