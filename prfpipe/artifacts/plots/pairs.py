"""Per-invocation paired plot: what drifted, and whether both variants drifted together."""

from statistics import median
from typing import TYPE_CHECKING

from prfpipe.artifacts.evidence import ScenarioSamples
from prfpipe.artifacts.plots import style
from prfpipe.models import ARMS, Arm

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def paired(samples: ScenarioSamples, *, width: int = 500, theme: style.Theme = "auto") -> bytes:
    """Above: each invocation's median latency. Below: its distance from the arm's own median, in percent."""
    medians = {arm: values for arm in ARMS if (values := samples.medians(arm))}
    with style.figure(width, 420) as drawing:
        above, below = drawing.subplots(2, 1, sharex=True, height_ratios=(2, 3))
        style.duration_axis(above, "y", [value for values in medians.values() for value in values])
        for arm, values in medians.items():
            middle = median(values)
            _line(above, arm, values)
            _line(below, arm, [(value / middle - 1) * 100 for value in values])
        _frame(above, below, max(len(values) for values in medians.values()))
        handles, labels = above.get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower center", ncols=3)
        return style.svg(drawing, theme)


def _line(axes: "Axes", arm: Arm, values: list[float]) -> None:
    hollow = arm == "control"
    axes.plot(range(1, len(values) + 1), values, style.ARM_LINES[arm], marker=style.ARM_MARKERS[arm],
              linewidth=1.2, markersize=4.5, color=style.ARM_COLOURS[arm], label=arm,
              markerfacecolor=style.PAPER if hollow else style.ARM_COLOURS[arm])  # fmt: skip


def _frame(above: "Axes", below: "Axes", count: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    above.set_ylabel("median latency")
    below.set_ylabel("from own median")
    below.set_xlabel("invocation, in the order measured")
    below.axhline(0, color=style.INK, linewidth=1)
    below.yaxis.set_major_locator(MaxNLocator(5))
    below.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:+.3g} %".replace("-", "−").replace("+0 %", "0 %"))
    )
    below.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    below.set_xlim(0.5, count + 0.5)
    for axes in (above, below):
        axes.grid(visible=True)
