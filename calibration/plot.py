"""Strip plots of all estimates: on one scale for the three tools, and prfpipe's alone on its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibration.experiments import EXPERIMENTS, TOOLS, Experiment, Tool
from calibration.figures import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS: dict[Tool, str] = {"prfpipe": "#0b6e99", "hyperfine": "#b5651d", "pyperf": "#6b4c9a"}
_GREY = "#555555"
_STYLE: Any = {
    "svg.hashsalt": "prfpipe",
    "svg.fonttype": "path",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}
_HALF_HEIGHT = 0.3
# The outermost estimates of the widest tool would press all others into a line.
_WIDEST_PERCENT = 15.0


def draw(found: Sequence[Cell], docs: Path) -> None:
    """Write calibration.svg and calibration.png: a row an experiment, all tools left, prfpipe enlarged right."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = [item for item in EXPERIMENTS if any(cell.experiment == item for cell in found)]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10.5, 0.9 + 1.75 * len(shown)), layout="constrained")
        axes = figure.subplots(len(shown), 2, squeeze=False, width_ratios=(1.75, 1), sharex="col")
        for (left, right), experiment in zip(axes, shown, strict=True):
            _row(left, right, experiment, [cell for cell in found if cell.experiment == experiment])
        axes[0][1].set_title("prfpipe, enlarged", loc="left", color=_COLOURS["prfpipe"])
        reach = min(_WIDEST_PERCENT, max(3.0, *(abs(change) for cell in found for change in cell.changes)))
        axes[-1][0].set_xlim(-reach * 1.05, reach * 1.05)
        for axis in axes[-1]:
            axis.set_xlabel("estimated change of time, %")
        figure.suptitle(
            "Each mark is one comparison. Filled: the tool calls a difference. Line: the true change."
            f" Triangles lie beyond ±{_WIDEST_PERCENT:g} %.",
            x=0.01,
            ha="left",
            fontsize=10,
            color=_GREY,
        )
        figure.savefig(docs / "calibration.svg", metadata={"Date": None})
        figure.savefig(docs / "calibration.png", dpi=110, metadata={"Software": None})


def _row(left: "Axes", right: "Axes", experiment: Experiment, found: Sequence[Cell]) -> None:
    left.set_title(experiment.title, loc="left", fontweight="bold")
    for position, tool in enumerate(TOOLS):
        for cell in (cell for cell in found if cell.tool == tool):
            _strip(left, cell, -position)
            if tool == "prfpipe":
                _strip(right, cell, 0)
    left.set_yticks([-position for position in range(len(TOOLS))], TOOLS)
    left.set_ylim(-len(TOOLS) + 0.4, 0.6)
    right.set_yticks([])
    right.set_ylim(-0.6, 0.6)
    for axis in (left, right):
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x", color="#e4e4e4", linewidth=0.8)
        axis.set_axisbelow(True)


def _strip(axis: "Axes", cell: Cell, y: float) -> None:
    """All estimates of a cell, spread over the strip's height in the order of the session."""
    colour, n = _COLOURS[cell.tool], len(cell.rows)
    heights = [y + _HALF_HEIGHT * (2 * ((i * 0.618034) % 1) - 1) for i in range(n)]
    for row, height in zip(cell.rows, heights, strict=True):
        change = row.change_percent
        marker = ">" if change > _WIDEST_PERCENT else "<" if change < -_WIDEST_PERCENT else "o"
        axis.plot(
            [max(-_WIDEST_PERCENT, min(_WIDEST_PERCENT, change))],
            [height],
            marker,
            markersize=4.5,
            markeredgewidth=0.8,
            markeredgecolor=colour,
            markerfacecolor=colour if row.call != "none" else "white",
            alpha=0.85,
            zorder=3,
        )
    true = cell.true_percent
    axis.plot([true, true], [y - 0.42, y + 0.42], color="black", linewidth=1.4, zorder=4)
