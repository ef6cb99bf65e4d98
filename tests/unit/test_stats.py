"""The exact statistics against brute force, published tables and their own symmetries."""

import itertools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from math import comb, exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe import stats
from prfpipe.plan import LOOK_WEIGHTS

ONE = stats.SCALE
ALL = [Fraction(1)]
POSITIVE = st.integers(1, 10**15)
RATIOS = st.lists(st.integers(ONE >> 6, ONE << 6), min_size=1, max_size=14)


@cache
def signed_rank_counts(n: int) -> list[int]:
    """How many of the 2**n sign patterns give each value of T, one pattern at a time."""
    counts = [0] * (n * (n + 1) // 2 + 1)
    for pattern in itertools.product((0, 1), repeat=n):
        counts[sum(rank * sign for rank, sign in enumerate(pattern, start=1))] += 1
    return counts


@cache
def tail(n: int, count: int) -> Fraction:
    """P(T <= count - 1), by convolution: independent of the code under test and fit for larger n."""
    counts = [1]
    for rank in range(1, n + 1):
        shifted = [0] * rank + counts
        counts = [a + b for a, b in itertools.zip_longest(counts, shifted, fillvalue=0)]
    return Fraction(sum(counts[:count]), 2**n)


def only_count(n: int, alpha: Fraction) -> int:
    return stats.critical_counts([n], alpha, ALL)[0]


# ---- critical counts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 13))
@pytest.mark.parametrize("alpha", [Fraction(1, 100), Fraction(1, 20), Fraction(1, 4), Fraction(9, 10)])
def test_the_critical_count_is_the_largest_that_brute_force_allows(n: int, alpha: Fraction) -> None:
    counts = signed_rank_counts(n)
    allowed = [c for c in range(n * (n + 1) // 4 + 1) if Fraction(2 * sum(counts[:c]), 2**n) <= alpha]
    assert only_count(n, alpha) == max(allowed)


# Two-sided critical values of Wilcoxon's signed-rank statistic (Wilcoxon & Wilcox 1964, table 2).
TABLE = {
    Fraction(5, 100): {6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 11: 10, 12: 13, 15: 25, 20: 52, 25: 89, 30: 137},
    Fraction(1, 100): {8: 0, 9: 1, 10: 3, 12: 7, 15: 15, 20: 37, 25: 68, 30: 109},
}


@pytest.mark.parametrize(
    ("alpha", "n", "critical"), [(alpha, n, t) for alpha, row in TABLE.items() for n, t in row.items()]
)
def test_the_critical_count_is_one_more_than_the_published_critical_value(
    alpha: Fraction, n: int, critical: int
) -> None:
    assert only_count(n, alpha) == critical + 1


@pytest.mark.parametrize(("alpha", "n"), [("0.05", 6), ("0.01", 8), ("0.001", 11), ("0.5", 2)])
def test_the_smallest_n_has_an_interval_and_one_less_has_none(alpha: str, n: int) -> None:
    error = stats.exact(alpha)
    assert stats.smallest_n(error) == n
    assert only_count(n, error) > 0
    assert only_count(n - 1, error) == 0


def test_a_large_n_is_counted_exactly() -> None:
    count = only_count(150, Fraction(1, 100))
    assert 2 * tail(150, count) <= Fraction(1, 100) < 2 * tail(150, count + 1)


def test_looks_and_shares_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        stats.critical_counts([8, 9], Fraction(1, 100), ALL)


# ---- looking more than once -----------------------------------------------------------------------------


@st.composite
def designs(draw: st.DrawFn) -> tuple[list[int], Fraction, list[Fraction]]:
    sizes = sorted(draw(st.sets(st.integers(1, 40), min_size=1, max_size=6)))
    weights = draw(st.lists(st.integers(0, 9), min_size=len(sizes), max_size=len(sizes)))
    total = max(sum(weights), 1)
    released = [Fraction(sum(weights[: k + 1]), total) for k in range(len(sizes))]
    return sizes, Fraction(draw(st.integers(1, 300)), 1000), released


@given(designs())
def test_all_looks_together_never_spend_more_than_alpha(design: tuple[list[int], Fraction, list[Fraction]]) -> None:
    sizes, alpha, released = design
    counts = stats.critical_counts(sizes, alpha, released)
    spent = [2 * tail(n, count) for n, count in zip(sizes, counts, strict=True)]
    assert sum(spent) <= alpha
    assert all(sum(spent[: k + 1]) <= alpha * share for k, share in enumerate(released))


@given(designs())
def test_looking_more_often_never_makes_the_last_interval_narrower(
    design: tuple[list[int], Fraction, list[Fraction]],
) -> None:
    sizes, alpha, _ = design
    released = [Fraction(k + 1, len(sizes)) for k in range(len(sizes))]
    assert stats.critical_counts(sizes, alpha, released)[-1] <= only_count(sizes[-1], alpha)


def test_what_an_early_look_could_not_use_is_left_for_later_ones() -> None:
    # At n = 3 no count fits, so the look at 8 has all of alpha, as if it were the only one.
    assert stats.critical_counts([3, 8], Fraction(1, 100), [Fraction(1, 2), Fraction(1)]) == (0, 1)


def sign_flips(magnitudes: Sequence[int]) -> Iterator[list[int]]:
    """Every sign pattern of ratios 2**magnitude, without any rounding."""
    for signs in itertools.product((1, -1), repeat=len(magnitudes)):
        yield [ONE << m if sign > 0 else ONE >> m for m, sign in zip(magnitudes, signs, strict=True)]


def excludes_one(values: Sequence[int], count: int) -> bool:
    found = stats.location(values, count)
    return found.low is not None and found.high is not None and not found.low <= ONE <= found.high


@pytest.mark.parametrize("n", [4, 6, 9])
def test_the_interval_misses_in_exactly_the_share_of_sign_patterns_that_it_says(n: int) -> None:
    count = only_count(n, Fraction(1, 5))
    magnitudes = random.Random(n).sample(range(1, 48), n)
    missed = sum(excludes_one(values, count) for values in sign_flips(magnitudes))
    assert Fraction(missed, 2**n) == 2 * tail(n, count)


def test_over_all_looks_the_share_of_sign_patterns_with_a_false_call_is_at_most_alpha() -> None:
    alpha, sizes = Fraction(1, 5), [4, 6, 8, 10]
    counts = stats.critical_counts(sizes, alpha, [Fraction(k, 4) for k in (1, 2, 3, 4)])
    magnitudes = [17, 3, 29, 11, 41, 7, 23, 5, 37, 13]
    looks = list(zip(sizes, counts, strict=True))
    false_calls = sum(any(excludes_one(values[:n], c) for n, c in looks) for values in sign_flips(magnitudes))
    assert 0 < Fraction(false_calls, 2**10) <= alpha


def test_equal_code_is_called_different_no_more_often_than_alpha_allows() -> None:
    """The plan's looks on a thousand simulated A/A runs with heavy tails; the seed makes it the same each time."""
    alpha, sizes, runs, rng = Fraction(1, 20), [4, 8, 13, 19, 26], 1000, random.Random(20261123)
    shares = [stats.exact(weight) for weight in LOOK_WEIGHTS]
    counts = stats.critical_counts(sizes, alpha, list(itertools.accumulate(shares)))
    looks = [(n, count) for n, count in zip(sizes, counts, strict=True) if count]
    false_calls = 0
    for _ in range(runs):
        values = [int(ONE * exp(rng.gauss(0, 0.01) * rng.choice((1, 1, 1, 8)))) for _ in range(sizes[-1])]
        false_calls += any(excludes_one(values[:n], count) for n, count in looks)
    assert false_calls <= runs * 0.05 + 3 * (runs * 0.05 * 0.95) ** 0.5


def test_the_plans_weights_release_alpha_exactly_once() -> None:
    assert sum(stats.exact(weight) for weight in LOOK_WEIGHTS) == 1


# ---- location -------------------------------------------------------------------------------------------


def bounds(found: stats.Interval) -> list[int]:
    return [value for value in (found.low, found.estimate, found.high) if value is not None]


@given(RATIOS, st.randoms(use_true_random=False))
def test_location_does_not_depend_on_the_order_of_the_invocations(values: list[int], rng: random.Random) -> None:
    shuffled = rng.sample(values, len(values))
    count = only_count(len(values), Fraction(1, 4))
    assert stats.location(shuffled, count) == stats.location(values, count)


@given(RATIOS, st.integers(0, 20))
def test_location_scales_with_the_values(values: list[int], shift: int) -> None:
    count = only_count(len(values), Fraction(1, 4))
    scaled = bounds(stats.location([value << shift for value in values], count))
    # Each square root is rounded down, the larger one less: never more than one unit before scaling.
    for one, other in zip(bounds(stats.location(values, count)), scaled, strict=True):
        assert (one - 1) << shift <= other <= (one + 2) << shift


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=14))
def test_location_of_reciprocals_is_the_reciprocal_up_to_rounding(pairs: list[tuple[int, int]]) -> None:
    count = only_count(len(pairs), Fraction(1, 4))
    forth = bounds(stats.location([stats.ratio(a, b) for a, b in pairs], count))
    back = bounds(stats.location([stats.ratio(b, a) for a, b in pairs], count))
    for one, other in zip(forth, reversed(back), strict=True):
        assert abs(Fraction(one * other, ONE * ONE) - 1) < Fraction(1, 2**40)


@given(RATIOS)
def test_the_estimate_lies_in_its_interval_and_both_within_the_values(values: list[int]) -> None:
    ordered = bounds(stats.location(values, only_count(len(values), Fraction(1, 4))))
    assert ordered == sorted(ordered)
    assert min(values) <= ordered[0]
    assert ordered[-1] <= max(values)


@given(RATIOS)
def test_a_smaller_count_never_narrows_the_interval(values: list[int]) -> None:
    wide = stats.location(values, 1)
    for count in range(2, only_count(len(values), Fraction(9, 10)) + 1):
        narrow = stats.location(values, count)
        assert bounds(wide)[0] <= bounds(narrow)[0]
        assert bounds(wide)[-1] >= bounds(narrow)[-1]
        wide = narrow


@given(RATIOS)
def test_count_zero_gives_an_estimate_without_bounds(values: list[int]) -> None:
    found = stats.location(values, 0)
    assert (found.low, found.high) == (None, None)
    assert found.estimate == stats.location(values, 1).estimate


@given(st.integers(ONE >> 8, ONE << 8), st.integers(1, 12))
def test_equal_values_are_their_own_location(value: int, n: int) -> None:
    assert stats.location([value] * n, 1) == stats.Interval(value, value, value)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_one_wild_invocation_moves_the_interval_but_not_far(count: int) -> None:
    calm = [ONE + ONE * k // 1000 for k in range(-5, 5)]
    wild = [*calm[:-1], ONE << 40]
    found = stats.location(wild, count)
    assert abs(found.estimate - stats.location(calm, count).estimate) < ONE // 300


def test_golden_values_are_the_same_bits_everywhere() -> None:
    """Recorded once; a change on another Python version or machine would change verdicts there."""
    rng = random.Random(41)
    values = [stats.ratio(rng.randrange(10**6, 2 * 10**6), rng.randrange(10**5, 3 * 10**5)) for _ in range(23)]
    counts = stats.critical_counts([9, 15, 23], Fraction(1, 100), [Fraction(1, 5), Fraction(1, 2), Fraction(1)])
    assert counts == (0, 13, 50)
    assert stats.location(values, counts[-1]) == stats.Interval(
        estimate=586332981608182684760266057035,
        low=462435521891698287692375349914,
        high=750478638159152906245143734295,
    )


# ---- fixed point ----------------------------------------------------------------------------------------


@given(POSITIVE, POSITIVE)
def test_a_ratio_is_the_quotient_rounded_down_to_the_grid(numerator: int, denominator: int) -> None:
    error = Fraction(numerator, denominator) - Fraction(stats.ratio(numerator, denominator), ONE)
    assert 0 <= error < Fraction(1, ONE)


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 0), (-1, 2), (2, -1), (0, 0)])
def test_a_ratio_of_what_is_not_positive_is_refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        stats.ratio(numerator, denominator)


@pytest.mark.parametrize(
    ("value", "meant"),
    [(0.01, Fraction(1, 100)), (1e-05, Fraction(1, 10**5)), ("0.1", Fraction(1, 10)), (5.0, Fraction(5))],
)
def test_exact_is_the_decimal_that_a_person_wrote(value: float | str, meant: Fraction) -> None:
    assert stats.exact(value) == meant


@pytest.mark.parametrize(
    ("value", "places", "rounded"),
    [("1.0000005", 6, 1.000001), ("1.00000049", 6, 1.0), ("0.5", 0, 1.0), ("-0.5", 0, 0.0), ("2.345", 2, 2.35)],
)
def test_decimals_are_rounded_half_up(value: str, places: int, rounded: float) -> None:
    # One unit in the last place of fixed point more, where the decimal itself is not on the binary grid.
    on_the_grid = stats.fixed(Fraction(value)) + (Fraction(value) * ONE).denominator.bit_length() - 1
    assert stats.decimal(on_the_grid, places) == rounded


@given(st.fractions(min_value=-1000, max_value=1000), st.integers(0, 9))
def test_a_decimal_is_off_by_half_a_unit_at_most(value: Fraction, places: int) -> None:
    rounded = stats.exact(stats.decimal(stats.fixed(value), places))
    assert abs(rounded - value) <= Fraction(1, 2 * 10**places) + Fraction(1, 10**15)


# ---- quantiles and tails --------------------------------------------------------------------------------


@given(st.lists(st.integers(), min_size=1), st.fractions(min_value=0, max_value=1))
def test_a_quantile_is_the_smallest_value_with_that_share_at_or_below_it(values: list[int], q: Fraction) -> None:
    found = stats.quantile(values, q)
    assert found in values
    assert sum(value <= found for value in values) >= q * len(values)
    assert sum(value < found for value in values) < max(q * len(values), 1)


@pytest.mark.parametrize(
    ("n", "q", "rank"),
    [(1, "0.99", 1), (4, "0.5", 2), (5, "0.5", 3), (101, "0.99", 100), (3, "1", 3)],
)
def test_nearest_rank_as_in_the_textbook(n: int, q: str, rank: int) -> None:
    assert stats.quantile(list(range(n, 0, -1)), Fraction(q)) == rank


P99, SURE = Fraction(99, 100), Fraction(95, 100)


@pytest.mark.parametrize(
    ("n", "dropped"), [(298, None), (299, 0), (472, 0), (473, 1), (627, 1), (628, 2), (0, None), (1, None)]
)
def test_p99_at_95_percent_needs_299_samples_and_473_and_628_to_drop_one_and_two(n: int, dropped: int | None) -> None:
    assert stats.exceedances(n, P99, SURE) == dropped


@given(st.integers(1, 60), st.integers(1, 99), st.integers(1, 99))
def test_exceedances_are_what_the_binomial_sum_allows(n: int, percent: int, sure: int) -> None:
    q, error = Fraction(percent, 100), 1 - Fraction(sure, 100)
    terms = [comb(n, k) * (1 - q) ** k * q ** (n - k) for k in range(n + 1)]
    allowed = [k for k in range(n + 1) if sum(terms[: k + 1]) <= error]
    assert stats.exceedances(n, q, 1 - error) == (max(allowed) if allowed else None)


@pytest.mark.parametrize(
    ("n", "percent"), [(0, 0), (1, 5), (2, 22), (58, 94), (59, 95), (298, 98), (299, 99), (10_000, 99)]
)
def test_the_certified_quantile_is_the_highest_that_n_allows(n: int, percent: int) -> None:
    assert stats.certified_quantile(n, P99, SURE) == Fraction(percent, 100)


@given(st.integers(1, 700))
def test_what_is_certified_has_a_bound_and_a_percent_more_has_none(n: int) -> None:
    found = stats.certified_quantile(n, P99, SURE)
    assert stats.exceedances(n, found, SURE) is not None
    assert found == P99 or stats.exceedances(n, found + Fraction(1, 100), SURE) is None
