"""The trend of a lever on a host as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prfpipe.artifacts.plots import style
from prfpipe.history.retention import adopted
from prfpipe.models import HistoryPoint, LeverHistory
from prfpipe.store.bundles.refs import started

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SECONDS_A_DAY = 86_400
_HALF_A_DAY = 0.5


def _day(point: HistoryPoint) -> float:
    """When a run began, in days since 1970, as matplotlib counts."""
    return started(point.run_id).timestamp() / _SECONDS_A_DAY


def trend(history: LeverHistory, *, width: int = 960, height: int = 300) -> bytes:
    """Speed-ups with their intervals over time; levels between change points; the adopted interval as a band."""
    points = history.points
    ratios = [point.speedup.estimate for point in points]
    with style.figure(width, height) as drawing:
        axes = drawing.add_subplot()
        _adopted_band(axes, points)
        _intervals(axes, points)
        axes.plot([_day(point) for point in points], ratios, "o", color=style.CANDIDATE, markersize=4)
        _levels(axes, history)
        style.ratio_axis(axes, "y", [*ratios, *(bound for point in points for bound in _bounds(point))])
        axes.set_ylabel("speed-up")
        axes.grid(axis="y")
        _dates(axes, points)
        return style.svg(drawing, "auto")


def _adopted_band(axes: "Axes", points: Sequence[HistoryPoint]) -> None:
    reference = adopted(points)
    if reference is not None:
        low, high = _bounds(reference)
        axes.axhspan(low, high, color=style.BAND, zorder=0)
        axes.axhline(reference.speedup.estimate, color=style.NEAR, linewidth=1.2, linestyle="--", zorder=1)


def _intervals(axes: "Axes", points: Sequence[HistoryPoint]) -> None:
    for point in points:
        low, high = _bounds(point)
        axes.vlines(_day(point), low, high, color=style.RULE, linewidth=1.6, zorder=2)


def _levels(axes: "Axes", history: LeverHistory) -> None:
    """A step at each change of level, in the colour of a loss or of a gain."""
    ends = [*(change.index for change in history.changes), len(history.points)]
    times = [_day(point) for point in history.points]
    for change, end in zip(history.changes, ends[1:], strict=True):
        colour = style.BAD if change.change_percent < 0 else style.GOOD
        axes.axvline(times[change.index], color=colour, linewidth=1.2, linestyle=":")
        axes.hlines(change.after, times[change.index], times[end - 1], color=colour, linewidth=2)
        axes.annotate(
            f"{change.change_percent:+.0f} %", (times[change.index], 1), color=colour,
            xycoords=("data", "axes fraction"), xytext=(4, -12), textcoords="offset points",
        )  # fmt: skip


def _bounds(point: HistoryPoint) -> tuple[float, float]:
    found = point.speedup
    return found.low or found.estimate, found.high or found.estimate


def _dates(axes: "Axes", points: Sequence[HistoryPoint]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # A few runs of one day would have ticks of seconds.
    first, last = _day(points[0]), _day(points[-1])
    room = max((last - first) / 50, _HALF_A_DAY)
    axes.set_xlim(first - room, last + room)
    locator = AutoDateLocator(minticks=2, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
