"""Latency distributions: all of it (ECDF), its tail, and every scenario on one page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prfpipe.artifacts.evidence import Evidence, ScenarioSamples, scenario_samples
from prfpipe.artifacts.names import clean
from prfpipe.artifacts.plots import style
from prfpipe.artifacts.plots.points import curve_ranks, quantile_of
from prfpipe.models import ARMS, Arm, ScenarioResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NINES = (0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)
_ROW, _MARGIN = 38, 96


def ecdf(samples: ScenarioSamples, *, width: int = 500, theme: style.Theme = "auto") -> bytes:
    """Share of operations at or below each latency, one step curve an arm, marks at p50, p95 and p99, up to p99.

    Where the candidate is so far from the baseline that one axis would flatten both, each has its own
    panel and scale.
    """
    curves = _curves(samples)
    groups = _panels(curves)
    with style.figure(width, 360) as drawing:
        panels = drawing.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(panels, groups, strict=True):
            _ecdf_panel(axes, group)
            owner = "an operation" if len(groups) == 1 else f"the {'candidate' if 'candidate' in group else 'baseline'}"
            axes.set_xlabel(f"latency of {owner}")
        panels[0].set_yticks([0, 0.25, 0.5, 0.75, 0.95], ["0 %", "25 %", "p50", "75 %", "p95"])
        panels[0].set_ylim(0, 1.03)
        panels[0].set_ylabel("operations at or below")
        drawing.legend(loc="outside lower center", ncols=3)
        return style.svg(drawing, theme)


def _panels(curves: dict[Arm, list[float]]) -> list[dict[Arm, list[float]]]:
    candidate = curves.get("candidate")
    others: dict[Arm, list[float]] = {arm: curves[arm] for arm in curves if arm != "candidate"}
    if not candidate or not others:
        return [curves]
    slowest, fastest = max(_body(values)[1] for values in others.values()), min(map(min, others.values()))
    apart: list[dict[Arm, list[float]]] = [{"candidate": candidate}, others]
    if _body(candidate)[1] < fastest / 1.3:
        return apart
    return apart[::-1] if candidate[0] > slowest * 1.3 else [curves]


def _body(values: Sequence[float]) -> tuple[float, float]:
    """The fastest sample and p99: beyond it, the plot of the tail shows more."""
    return values[0], quantile_of(values, 0.99)


def _ecdf_panel(axes: "Axes", curves: dict[Arm, list[float]]) -> None:
    ends = [end for values in curves.values() for end in _body(values)]
    style.duration_axis(axes, "x", ends, ticks=4)
    for arm, values in curves.items():
        _ecdf_curve(axes, arm, values)
    low, high = min(ends), max(ends)
    margin = 0.04 * (high - low) or 0.01 * high
    axes.set_xlim(max(low - margin, low / 2), high + margin)
    axes.grid(visible=True)


def _ecdf_curve(axes: "Axes", arm: Arm, values: Sequence[float]) -> None:
    ranks = curve_ranks(len(values))
    shares = [(rank + 1) / len(values) for rank in ranks]
    colour = style.ARM_COLOURS[arm]
    axes.plot([values[rank] for rank in ranks], shares, style.ARM_LINES[arm], color=colour, linewidth=2,
              drawstyle="steps-post", label=arm)  # fmt: skip
    marks = (0.5, 0.95, 0.99)
    axes.plot([quantile_of(values, mark) for mark in marks], marks, style.ARM_MARKERS[arm], color=colour,
              markersize=6, markerfacecolor=style.PAPER)  # fmt: skip


def tail(samples: ScenarioSamples, certified: float, *, width: int = 500, theme: style.Theme = "auto") -> bytes:
    """Latency at each percentile, the last ones spread out; a line marks the highest that n certifies."""
    curves = _curves(samples)
    longest = max(len(values) for values in curves.values())
    with style.figure(width, 360) as drawing:
        axes = drawing.add_subplot()
        for arm, values in curves.items():
            shares, heights = _tail_points(values)
            axes.plot(shares, heights, style.ARM_LINES[arm], color=style.ARM_COLOURS[arm], linewidth=2, label=arm)
        _tail_frame(axes, curves, certified, longest)
        drawing.legend(loc="outside lower center", ncols=2)
        return style.svg(drawing, theme)


def _tail_points(values: Sequence[float]) -> tuple[list[float], list[float]]:
    ranks = [rank for rank in curve_ranks(len(values)) if rank + 1 < len(values)]
    return [_odds((rank + 1) / len(values)) for rank in ranks], [values[rank] for rank in ranks]


def _tail_frame(axes: "Axes", curves: dict[Arm, list[float]], certified: float, longest: int) -> None:
    ends = [value for values in curves.values() for value in (values[0], values[-1])]
    style.duration_axis(axes, "y", ends)
    # Beyond p99.9 the axis is so long that p90 and p95 would run into each other.
    crowded = longest > 20_000
    shown = [share for share in _NINES if share <= 1 - 1 / longest and not (crowded and share == 0.95)] or [0.5]
    axes.set_xscale("log")
    axes.set_xlim(_odds(0.25), _odds(1 - 1 / longest) if longest > 4 else _odds(0.9))
    axes.set_xticks([_odds(share) for share in shown], [f"p{share * 100:g}" for share in shown], minor=False)
    axes.minorticks_off()
    if 0 < certified < 1:
        label = f"certified up to p{certified * 100:g}"
        axes.axvline(_odds(certified), color=style.INK, linestyle="--", linewidth=1.2, label=label)
    axes.grid(visible=True)
    axes.set_xlabel("percentile")
    axes.set_ylabel("latency of an operation")


def _odds(share: float) -> float:
    """p50 -> 2, p90 -> 10, p99 -> 100: equal steps for each nine on a logarithmic axis."""
    return 1 / (1 - share)


def _curves(samples: ScenarioSamples) -> dict[Arm, list[float]]:
    return {arm: values for arm in ARMS if (values := samples.latencies(arm))}


def ranges(evidence: Evidence, *, width: int = 960, theme: style.Theme = "auto") -> bytes | None:
    """For every scenario and variant: p1-p99 thin, p25-p75 thick, p50 as a mark; None without any samples."""
    found = [
        (result, samples)
        for result in evidence.verdict.scenarios
        if (samples := scenario_samples(evidence.samples, result.scenario))
    ]
    if not found:
        return None
    with style.figure(width, _MARGIN + len(found) * _ROW) as drawing:
        axes = drawing.add_subplot()
        ends = [value for index, row in enumerate(found) for value in _range_row(axes, -float(index), row[1])]
        style.duration_axis(axes, "x", ends)
        _range_labels(axes, [result for result, _ in found], narrow=width <= 480)
        handles, labels = axes.get_legend_handles_labels()
        drawing.legend(handles[:2], labels[:2], loc="outside lower center", ncols=2)
        return style.svg(drawing, theme)


def _range_row(axes: "Axes", y: float, samples: ScenarioSamples) -> list[float]:
    ends: list[float] = []
    shown: tuple[tuple[Arm, float], ...] = (("baseline", 0.17), ("candidate", -0.17))
    for arm, offset in shown:
        values = samples.latencies(arm)
        if values:
            p1, p25, p50, p75, p99 = (quantile_of(values, share) for share in (0.01, 0.25, 0.5, 0.75, 0.99))
            colour, level = style.ARM_COLOURS[arm], [y + offset, y + offset]
            axes.plot([p1, p99], level, color=colour, linewidth=1.4)
            axes.plot([p25, p75], level, color=colour, linewidth=6, solid_capstyle="butt", alpha=0.55)
            axes.plot([p50], [y + offset], style.ARM_MARKERS[arm], color=colour, markersize=6, label=arm)
            ends += [p1, p99]
    return ends


def _range_labels(axes: "Axes", results: Sequence[ScenarioResult], *, narrow: bool) -> None:
    names = [clean(result.scenario, 18 if narrow else 34) + " ★" * result.primary for result in results]
    axes.set_yticks([-float(index) for index in range(len(names))], names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-len(names) + 0.4, 0.6)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.set_xlabel("latency of an operation: p1–p99, p25–p75, p50")
    for label, result in zip(axes.get_yticklabels(), results, strict=True):
        label.set_fontweight("bold" if result.primary else "normal")
