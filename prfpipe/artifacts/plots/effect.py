"""Forest plot: every scenario's speed-up with its interval, against 1x, claim and A/A control."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.evidence import Evidence, scenario_samples
from prfpipe.artifacts.names import clean
from prfpipe.artifacts.plots import style
from prfpipe.artifacts.plots.points import jitter, thin
from prfpipe.models import Estimate, ScenarioResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

NARROW = 480
_ROW, _NARROW_ROW, _MARGIN = 36, 46, 118


@dataclass(frozen=True)
class _Row:
    result: ScenarioResult
    dots: list[float]
    y: float


def forest(evidence: Evidence, *, width: int = 960, theme: style.Theme = "auto") -> bytes:
    """The plot as SVG, `width` CSS pixels wide; under `NARROW` the figures stand below the scenario's name.

    Raises:
        ValueError: the verdict has no scenario.
    """
    rows = _rows(evidence)
    if not rows:
        raise ValueError("a forest plot needs at least one scenario")
    row_height = _NARROW_ROW if width <= NARROW else _ROW
    with style.figure(width, _MARGIN + len(rows) * row_height) as drawing:
        axes = drawing.add_subplot()
        _frame(axes, rows, evidence.plan.lever.expected_speedup, narrow=width <= NARROW)
        for row in rows:
            _draw(axes, row)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        drawing.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=2 if width <= NARROW else 4)
        return style.svg(drawing, theme)


def _rows(evidence: Evidence) -> list[_Row]:
    rows = []
    for index, result in enumerate(evidence.verdict.scenarios):
        samples = scenario_samples(evidence.samples, result.scenario)
        rows.append(_Row(result, thin(samples.ratios("candidate")) if samples else [], -float(index)))
    return rows


def _frame(axes: "Axes", rows: list[_Row], expected: tuple[float, float], *, narrow: bool) -> None:
    reach = [bound for row in rows for bound in (*_bounds(row.result.speedup), *_bounds(row.result.control), *row.dots)]
    values = [*reach, *expected, 1.0]
    low, high = min(values) / 1.12, max(values) * 1.12
    style.ratio_axis(axes, "x", [low, high])
    axes.set_xlim(low, high)
    axes.set_ylim(rows[-1].y - 0.6, 0.6)
    axes.axvspan(*expected, color=style.BAND, zorder=0, linewidth=0, label=f"claim {fmt.show_range(*expected)}")
    axes.axvline(1.0, color=style.INK, linewidth=1.2, zorder=1)
    axes.grid(axis="x", zorder=0.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("speed-up (logarithmic)" if narrow else "speed-up: baseline time / candidate time (logarithmic)")
    _labels(axes, rows, narrow=narrow)


def _labels(axes: "Axes", rows: list[_Row], *, narrow: bool) -> None:
    ends = [fmt.show_estimate(row.result.speedup, fmt.RATIO) for row in rows]
    names = [clean(row.result.scenario, 22 if narrow else 34) + " ★" * row.result.primary for row in rows]
    left = [f"{name}\n{end}" for name, end in zip(names, ends, strict=True)] if narrow else names
    axes.set_yticks([row.y for row in rows], left)
    axes.tick_params(axis="y", length=0)
    _embolden(axes.get_yticklabels(), rows)
    if not narrow:
        right = axes.secondary_yaxis("right")
        right.set_yticks([row.y for row in rows], ends)
        right.tick_params(axis="y", length=0)
        right.spines["right"].set_visible(False)
        _embolden(right.get_yticklabels(), rows)


def _embolden(labels: "list[Text]", rows: list[_Row]) -> None:
    for label, row in zip(labels, rows, strict=True):
        label.set_fontweight("bold" if row.result.primary else "normal")


def _draw(axes: "Axes", row: _Row) -> None:
    offsets = [row.y + 0.5 * jitter(index) for index in range(len(row.dots))]
    axes.plot(row.dots, offsets, ".", color=style.CANDIDATE, alpha=0.35, markersize=5, markeredgewidth=0,
              zorder=2, label="one invocation")  # fmt: skip
    _interval(axes, row.result.control, row.y - 0.34, "control", "A/A control (baseline twice)")
    _interval(axes, row.result.speedup, row.y, "candidate", "candidate, with interval")


def _interval(axes: "Axes", figure: Estimate, y: float, arm: str, label: str) -> None:
    colour, marker = style.ARM_COLOURS[arm], style.ARM_MARKERS[arm]
    solid = arm == "candidate"
    if figure.low is not None and figure.high is not None:
        axes.plot([figure.low, figure.high], [y, y], color=colour, linewidth=3.5 if solid else 1.8, zorder=3,
                  solid_capstyle="butt")  # fmt: skip
    axes.plot([figure.estimate], [y], marker, color=colour, markersize=8 if solid else 5, zorder=4,
              label=label, markerfacecolor=colour if solid else style.PAPER)  # fmt: skip


def _bounds(figure: Estimate) -> list[float]:
    return [bound for bound in (figure.low, figure.estimate, figure.high) if bound is not None]
