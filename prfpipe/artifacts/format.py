"""Numbers as people read them: a unit that fits, and as many digits as the interval supports."""

from dataclasses import dataclass
from math import floor, log10

from prfpipe.limits import places_beside
from prfpipe.models import Estimate

NONE = "–"
_MAX_DECIMALS = 4


@dataclass(frozen=True)
class Unit:
    """`steps`: (size, suffix) from the largest to the smallest; `signed` writes a plus before gains.

    `neutral` is the value that means no change: rounding never moves a bound onto it, nor onto 0.
    """

    steps: tuple[tuple[float, str], ...]
    signed: bool = False
    neutral: float | None = None

    def step(self, value: float) -> tuple[float, str]:
        """The largest step that keeps three significant digits of `value` at or above 1."""
        rounded = _significant(abs(value))
        return next((step for step in self.steps if rounded >= step[0]), self.steps[-1])


DURATION = Unit(((1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")))
MEMORY = Unit(((1024.0**2, " GiB"), (1024.0, " MiB"), (1.0, " KiB")))
BYTES = Unit(((1024.0**3, " GiB"), (1024.0**2, " MiB"), (1024.0, " KiB"), (1.0, " B")))
RATE = Unit(((1e6, " Mop/s"), (1e3, " kop/s"), (1.0, " op/s")))
RATIO = Unit(((1.0, "×"),), neutral=1.0)
PERCENT = Unit(((1.0, " %"),))
CHANGE = Unit(((1.0, " %"),), signed=True, neutral=0.0)


def show(value: float | None, unit: Unit) -> str:
    """One number with its unit, to three significant digits; a dash for None."""
    if value is None:
        return NONE
    size, suffix = unit.step(value)
    scaled = value / size
    return _number(scaled, _decimals_of(scaled), unit) + suffix


def show_estimate(figure: Estimate, unit: Unit) -> str:
    """`7.21× [7.05, 7.38]`: one unit for all three; a dash for a bound that n does not give."""
    return f"{show_point(figure, unit)} {show_interval(figure, unit)}"


def show_point(figure: Estimate, unit: Unit) -> str:
    """The estimate alone, with the digits that its interval supports."""
    size, suffix = unit.step(figure.estimate)
    return _number(figure.estimate / size, _decimals(figure, size, unit), unit) + suffix


def show_interval(figure: Estimate, unit: Unit) -> str:
    """`[7.05, 7.38]` in the unit and digits of the estimate."""
    size, _ = unit.step(figure.estimate)
    places = _decimals(figure, size, unit)
    low, high = (NONE if bound is None else _number(bound / size, places, unit) for bound in (figure.low, figure.high))
    return f"[{low}, {high}]"


def show_range(low: float, high: float) -> str:
    """A claim: `5–10×`."""
    return f"{low:g}–{high:g}×"


def show_count(count: int) -> str:
    """`12,345`."""
    return f"{count:,}"


def show_limit(percent: float) -> str:
    """A percentage that a person chose, as they wrote it: `5 %`."""
    return f"{percent:g} %"


def show_share(percent: float, *, signed: bool = False) -> str:
    """A share of time, to a tenth of a percent: `88.3 %`."""
    return _number(percent, 1, CHANGE if signed else PERCENT) + " %"


def show_worst(percent: float | None, limit: float) -> str:
    """A worst case as it is told beside its limit: `+5.04 %` beside `5 %`; a dash where there is no interval."""
    return NONE if percent is None else f"{_number(percent, places_beside(limit, percent), CHANGE)} %"


def show_seconds(seconds: float) -> str:
    """A duration of the plan, given in seconds."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _decimals(figure: Estimate, size: float, unit: Unit) -> int:
    if figure.low is None or figure.high is None or figure.high <= figure.low:
        return _decimals_of(figure.estimate / size)
    # Two significant digits at least, however wide the interval is: `7× [5, 9]` reads like a guess.
    fewest = 1 if abs(figure.estimate / size) < 10 else 0
    places = max(fewest, min(-floor(log10((figure.high - figure.low) / size / 4)), _MAX_DECIMALS))
    bounds = (figure.low / size, figure.high / size)
    while places < _MAX_DECIMALS and any(_hides(bound, places, unit) for bound in bounds):
        places += 1
    return places


def _hides(bound: float, places: int, unit: Unit) -> bool:
    return round(bound, places) in {0.0, unit.neutral} - {bound}


def _decimals_of(value: float) -> int:
    if value == 0:
        return 0
    return max(0, min(2 - floor(log10(_significant(abs(value)))), _MAX_DECIMALS))


def _significant(value: float) -> float:
    return float(f"{value:.2e}")


def _number(value: float, places: int, unit: Unit) -> str:
    text = f"{value:+,.{places}f}" if unit.signed else f"{value:,.{places}f}"
    negative_zero = text.startswith("-") and not text.strip("-0.,")
    return (text[1:] if negative_zero else text).replace("-", "−")
