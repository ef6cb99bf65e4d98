"""Numbers, names and tables as people read them, hostile ones included."""

import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.derive import certified_line, improvement, overhead, position, samples_needed
from prfpipe.artifacts.names import clean, code_block, columns, flat, markdown
from prfpipe.artifacts.tables import markdown_table, text_table
from prfpipe.models import Certified, Estimate
from tests.support.records import HOSTILE


def between(estimate: float, low: float | None, high: float | None) -> Estimate:
    return Estimate(estimate=estimate, low=low, high=high)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, fmt.DURATION, "0 ns"),
        (7.0, fmt.DURATION, "7.00 ns"),
        (999.4, fmt.DURATION, "999 ns"),
        (999.6, fmt.DURATION, "1.00 µs"),
        (1_234_567.0, fmt.DURATION, "1.23 ms"),
        (999_999_999.0, fmt.DURATION, "1.00 s"),
        (61_500_000_000.0, fmt.DURATION, "61.5 s"),
        (512.0, fmt.MEMORY, "512 KiB"),
        (61_000.0, fmt.MEMORY, "59.6 MiB"),
        (12_345.0, fmt.RATE, "12.3 kop/s"),
        (0.552, fmt.RATE, "0.552 op/s"),
        (7.394, fmt.RATIO, "7.39×"),
        (-5.1, fmt.CHANGE, "−5.10 %"),
        (None, fmt.DURATION, "–"),
    ],
)
def test_a_number_has_the_unit_that_fits_and_three_digits(value: float | None, unit: fmt.Unit, shown: str) -> None:
    assert fmt.show(value, unit) == shown


@pytest.mark.parametrize(
    ("figure", "unit", "shown"),
    [
        (between(7.3944, 7.3212, 7.4381), fmt.RATIO, "7.39× [7.32, 7.44]"),
        (between(1.2, 0.3, 9.7), fmt.RATIO, "1.2× [0.3, 9.7]"),
        (between(6.597, 5.012, 9.041), fmt.RATIO, "6.6× [5.0, 9.0]"),
        (between(1.0003, 0.9981, 1.0022), fmt.RATIO, "1.000× [0.998, 1.002]"),
        (between(1.8e9, 1.795e9, 1.827e9), fmt.DURATION, "1.800 s [1.795, 1.827]"),
        (between(1.1e6, 0.9e6, 1.3e6), fmt.DURATION, "1.1 ms [0.9, 1.3]"),
        (between(1.5e6, None, None), fmt.DURATION, "1.50 ms [–, –]"),
        (between(1.5e6, 1.2e6, None), fmt.DURATION, "1.50 ms [1.20, –]"),
        (between(2.0, 2.0, 2.0), fmt.RATIO, "2.00× [2.00, 2.00]"),
    ],
)
def test_an_estimate_shows_the_digits_that_its_interval_supports(figure: Estimate, unit: fmt.Unit, shown: str) -> None:
    assert fmt.show_estimate(figure, unit) == shown


def test_rounding_never_moves_a_bound_onto_no_change() -> None:
    assert fmt.show_estimate(between(-2.3, -10.6, -0.1), fmt.CHANGE) == "−2.3 % [−10.6, −0.1]"
    assert fmt.show_estimate(between(0.7, 0.2, 0.98), fmt.RATIO).endswith("0.98]")


@given(st.floats(1e-3, 1e15), st.floats(0, 1), st.floats(0, 1))
def test_every_interval_can_be_shown(estimate: float, below: float, above: float) -> None:
    figure = between(estimate, estimate * (1 - below), estimate * (1 + above))
    for unit in (fmt.DURATION, fmt.MEMORY, fmt.RATE, fmt.RATIO, fmt.CHANGE):
        assert fmt.show_estimate(figure, unit).count(",") >= 1


# ---- derived figures ------------------------------------------------------------------------------------


def test_improvement_is_the_share_saved_and_for_throughput_the_share_gained() -> None:
    assert improvement(between(2.0, 1.25, 4.0)) == between(50.0, 20.0, 75.0)
    assert improvement(between(2.0, 1.25, 4.0), higher_is_better=True) == between(100.0, 25.0, 300.0)


def test_overhead_turns_the_interval_around() -> None:
    assert overhead(between(0.8, 0.5, 1.0)) == between(25.0, 0.0, 100.0)


def test_a_missing_bound_stays_missing() -> None:
    assert improvement(between(2.0, None, None)) == between(50.0, None, None)
    assert overhead(between(0.8, 0.5, None)) == between(25.0, None, 100.0)


@pytest.mark.parametrize(
    ("low", "high", "where"),
    [(1, 4.9, "below"), (5, 10, "inside"), (10.1, 12, "above"), (4, 6, "straddles"), (None, None, "unknown")],
)
def test_an_interval_has_a_place_against_the_range(low: float | None, high: float | None, where: str) -> None:
    assert position(between(5.5, low, high), (5.0, 10.0)) == where


def test_p99_at_95_percent_needs_299_samples() -> None:
    assert samples_needed(Fraction(99, 100), Fraction(95, 100)) == 299


def test_too_few_samples_say_what_they_certify_instead_of_p99() -> None:
    line = certified_line(Certified(quantile=0.92, upper_bound_ns=1.5e6, samples=40, confidence=0.95))
    assert line == "p99 certified at 95 % needs 299 samples; with n=40 the highest is p92 ≤ 1.50 ms"


def test_enough_samples_certify_p99() -> None:
    line = certified_line(Certified(quantile=0.99, upper_bound_ns=1.5e6, samples=400, confidence=0.95))
    assert line == "p99 ≤ 1.50 ms, certified at 95 % (n=400)"


def test_two_samples_certify_nothing() -> None:
    line = certified_line(Certified(quantile=0.0, upper_bound_ns=1.5e6, samples=2, confidence=0.95))
    assert line.endswith("with n=2 no quantile is certified")


# ---- hostile names --------------------------------------------------------------------------------------


def test_clean_leaves_nothing_that_acts() -> None:
    shown = clean(HOSTILE)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert "owned" not in shown
    assert "[31m" not in shown


@given(st.text())
def test_whatever_the_text_clean_gives_one_line_without_controls(text: str) -> None:
    assert not {unicodedata.category(char) for char in clean(text)} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(clean(text, 20)) <= 20


def test_a_long_name_keeps_both_ends_and_a_huge_one_costs_little() -> None:
    assert clean("a" * 50 + "/the/end", 20) == "aaaaaaaaa…aa/the/end"
    assert len(clean("\x1b" * 10_000_000, 100)) <= 100


def test_an_unfinished_escape_does_not_eat_the_rest_of_the_name() -> None:
    assert clean("name\x1b[31") == "name"
    assert clean("before\x1b]0;title\x07after") == "beforeafter"


def test_flat_keeps_indentation() -> None:
    assert flat("    return 1") == "    return 1"


def test_markdown_makes_markup_literal() -> None:
    shown = markdown("a|b `c` <b> *d* [e](f) ~g~ $h$")
    assert shown == r"a\|b \`c\` &lt;b&gt; \*d\* \[e\](f) \~g\~ \$h\$"
    assert markdown("# no heading") == r"\# no heading"
    assert markdown("1. no list") == r"1\. no list"


def test_a_hostile_name_stays_in_its_markdown_cell() -> None:
    row = markdown_table(("name", "n"), [(markdown(HOSTILE), "1")]).splitlines()[-1]
    assert len(row.replace(r"\|", "").split("|")) == 4
    assert "<script" not in row


def test_a_code_block_cannot_be_left() -> None:
    block = code_block("one\n````\n# two").splitlines()
    assert block[0] == block[-1] == "`````"


def test_a_text_table_is_aligned_in_columns_of_the_terminal() -> None:
    lines = text_table(("name", "n"), [("日本", "1"), ("e\u0301tude", "22")]).splitlines()
    assert [columns(line) for line in lines] == [9, 9, 9, 9]
