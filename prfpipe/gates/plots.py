"""The pictures of a gate as SVG bytes, in the house style: same input, same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.names import clean
from prfpipe.artifacts.plots import style
from prfpipe.gates.history import Point
from prfpipe.models import GateCheck, Quantiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NARROW = 480
COLOURS = {
    "pass": style.GOOD,
    "warn": style.NEAR,
    "fail": style.BAD,
    "undecided": style.OPEN,
    "out-of-scope": style.CONTROL,
}
_ROW, _MARGIN = 40, 84
_LOG_FROM = 1000.0


def budget_bars(checks: Sequence[GateCheck], warn_at: float, *, width: int = 960) -> bytes:
    """A bar for each check: its figure in percent of its budget, its bounds as a line; the budget is 100 %.

    Raises:
        ValueError: no check has a budget.
    """
    judged = [check for check in checks if check.budget is not None]
    if not judged:
        raise ValueError("a picture of budgets needs a check that has one")
    with style.figure(width, _MARGIN + len(judged) * _ROW) as drawing:
        axes = drawing.add_subplot()
        reach = [share for check in judged for share in _shares(check)]
        for row, check in enumerate(judged):
            _budget_bar(axes, -row, check)
        _share_axis(axes, max(*reach, 100.0), warn_at)
        _rows(axes, [clean(check.subject, 20 if width <= NARROW else 40) for check in judged])
        axes.set_xlabel("percent of the budget" if width <= NARROW else "percent of the budget; line: exact bounds")
        return style.svg(drawing, "auto")


def _shares(check: GateCheck) -> list[float]:
    figures = (check.value, check.low, check.high)
    return [100 * figure / (check.budget or 1.0) for figure in figures if figure is not None]


def _budget_bar(axes: "Axes", y: float, check: GateCheck) -> None:
    colour, shares = COLOURS[check.state], _shares(check)
    axes.barh(y, max(shares[0], 0.3), height=0.55, color=colour, alpha=0.55, linewidth=0, zorder=2)
    axes.plot([min(shares), max(shares)], [y, y], color=colour, linewidth=3, zorder=3, solid_capstyle="butt")
    axes.plot([shares[0]], [y], "o", color=style.INK, markersize=5, zorder=4)


def _share_axis(axes: "Axes", reach: float, warn_at: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if reach > _LOG_FROM:
        axes.set_xscale("log")
        axes.set_xlim(1, reach * 1.3)
    else:
        axes.set_xlim(0, reach * 1.08)
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axes.minorticks_off()
    axes.axvline(100, color=style.BAD, linewidth=1.8, zorder=1)
    axes.axvline(warn_at, color=style.NEAR, linewidth=1.4, linestyle="--", zorder=1)
    axes.grid(axis="x", zorder=0.5)


def _rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks([-row for row in range(len(names))], names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-len(names) + 0.4, 0.6)
    axes.spines["left"].set_visible(False)
    axes.set_axisbelow(True)


def effects(checks: Sequence[GateCheck], *, width: int = 960) -> bytes:
    """An overhead with its bounds for each check, in percent, against no overhead and its budget."""
    with style.figure(width, _MARGIN + len(checks) * _ROW) as drawing:
        axes = drawing.add_subplot()
        for row, check in enumerate(checks):
            _effect(axes, -row, check)
        axes.axvline(0, color=style.INK, linewidth=1)
        axes.grid(axis="x", zorder=0.5)
        _percent_axis(axes)
        _rows(axes, [clean(check.subject, 20 if width <= NARROW else 40) for check in checks])
        axes.set_xlabel("overhead; red: its budget")
        return style.svg(drawing, "auto")


def _effect(axes: "Axes", y: float, check: GateCheck) -> None:
    colour = COLOURS[check.state]
    ends = [end for end in (check.low, check.value, check.high) if end is not None]
    axes.plot([min(ends), max(ends)], [y, y], color=colour, linewidth=4, solid_capstyle="butt", zorder=3)
    axes.plot([check.value], [y], "s", color=colour, markersize=8, zorder=4)
    if check.budget is not None:
        axes.plot([check.budget] * 2, [y - 0.42, y + 0.42], color=style.BAD, linewidth=2.2, zorder=2)


def _percent_axis(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %".replace("-", "−")))


def phase_bars(phases: dict[str, Quantiles], *, width: int = 960) -> bytes:
    """A bar for each phase at its median, with a line to its p99, in the order of the phases."""
    with style.figure(width, _MARGIN + len(phases) * _ROW) as drawing:
        axes = drawing.add_subplot()
        for row, found in enumerate(phases.values()):
            axes.barh(-row, found.p50_ns, height=0.55, color=style.CANDIDATE, alpha=0.75, linewidth=0, zorder=2)
            axes.plot([found.p50_ns, found.p99_ns], [-row, -row], color=style.INK, linewidth=1.4, zorder=3)
            axes.plot([found.p99_ns], [-row], "|", color=style.INK, markersize=11, zorder=3)
        style.duration_axis(axes, "x", [1.0, 1.0])
        axes.set_xlim(left=0)
        axes.grid(axis="x", zorder=0.5)
        _rows(axes, [clean(name, 20 if width <= NARROW else 40) for name in phases])
        axes.set_xlabel("bar: p50; line: to p99")
        return style.svg(drawing, "auto")


@dataclass(frozen=True)
class Spike:
    """A moment of the time line: seconds from the start, latency in percent of its subject's budget.

    `judged`: whether that budget is about it, or it is there to compare with.
    """

    seconds: float
    share: float
    kind: str
    subject: str
    judged: bool = True


_MAX_RINGS, _FEW = 60, 600
_KIND_COLOURS = (style.CANDIDATE, style.BASELINE, style.NEAR, style.GOOD, style.CONTROL, style.OPEN)


def timeline(moments: Sequence[Spike], *, width: int = 960, named: int = 3) -> bytes:
    """Every moment against its budget (100 %) over time; what is judged and over it is ringed, the highest named."""
    size = 8 if len(moments) <= _FEW else 4
    with style.figure(width, 380) as drawing:
        axes = drawing.add_subplot()
        for place, kind in enumerate(dict.fromkeys(moment.kind for moment in moments)):
            shown = [moment for moment in moments if moment.kind == kind]
            axes.plot([m.seconds for m in shown], [m.share for m in shown], ".", markersize=size, markeredgewidth=0,
                      color=_KIND_COLOURS[place % len(_KIND_COLOURS)], alpha=0.7, label=clean(kind, 30))  # fmt: skip
        over = [moment for moment in moments if moment.judged and moment.share > 100]
        # Rings point out few; where most are over budget the line says so.
        for moment in over if len(over) <= _MAX_RINGS else ():
            axes.plot([moment.seconds], [moment.share], "o", markersize=8, markerfacecolor="none",
                      markeredgecolor=style.BAD)  # fmt: skip
        for spike in _highest(moments)[: named if width > NARROW else 1]:
            axes.annotate(clean(spike.subject, 24), (spike.seconds, spike.share), xytext=(6, 2),
                          textcoords="offset points", fontsize=11, color=style.INK)  # fmt: skip
        _timeline_frame(axes)
        drawing.legend(loc="outside lower center", ncols=3 if width <= NARROW else 6, markerscale=12 / size)
        return style.svg(drawing, "auto")


def _highest(moments: Sequence[Spike]) -> list[Spike]:
    """The highest moment of each subject that is over budget, but for those whose names would cover a higher one's."""
    span = max(moment.seconds for moment in moments) or 1.0
    found: list[Spike] = []
    for moment in sorted(filter(attrgetter("judged"), moments), key=lambda moment: -moment.share):
        if found and moment.share <= 100:
            break
        apart = all(abs(moment.seconds - other.seconds) > span / 6 for other in found)
        if apart and moment.subject not in {other.subject for other in found}:
            found.append(moment)
    return found


def _timeline_frame(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axes.minorticks_off()
    axes.axhline(100, color=style.BAD, linewidth=1.8)
    axes.grid(visible=True)
    axes.set_xlabel("seconds since the start, by intended start")
    axes.set_ylabel("latency, percent of the budget")


def sparkline(points: Sequence[Point], *, budget: float | None, width: int = 220, height: int = 44) -> bytes:
    """A subject's figures over its last runs, the newest on the right in the colour of its answer.

    Raises:
        ValueError: there are no points.
    """
    if not points:
        raise ValueError("a sparkline needs at least one run")
    values = [point.value for point in points]
    with style.figure(width, height) as drawing:
        axes = drawing.add_subplot()
        axes.plot(range(len(values)), values, color=style.BASELINE, linewidth=1.6)
        axes.plot([len(values) - 1], values[-1:], "o", color=COLOURS[points[-1].state], markersize=6)
        if budget is not None and max(values) > budget / 3:
            axes.axhline(budget, color=style.BAD, linewidth=1.2, linestyle="--")
        axes.set_axis_off()
        axes.margins(x=0.04, y=0.2)
        return style.svg(drawing, "auto")


def share_of_budget(latency_ns: int, budget_ms: float) -> float:
    """A latency in percent of a budget."""
    return latency_ns / (budget_ms * 10_000)


def show_quantiles(found: Quantiles) -> str:
    """`p50 41.0 ms, p95 48.2 ms, p99 52.1 ms`."""
    shown = (("p50", found.p50_ns), ("p95", found.p95_ns), ("p99", found.p99_ns))
    return ", ".join(f"{name} {fmt.show(value, fmt.DURATION)}" for name, value in shown)
