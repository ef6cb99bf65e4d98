"""How all plots look, in light and dark, and how a figure becomes SVG bytes.

Text stays text, so that it is small and uses the reader's font; layout is by DejaVu Sans, which is wider than the
fonts it is replaced with, so that nothing grows into its neighbour.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from prfpipe.artifacts import format as fmt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Theme = Literal["auto", "light"]

INK, MUTED, RULE, PAPER, BAND = "#1b2430", "#5a6675", "#d5dbe3", "#ffffff", "#fbe9c6"
BASELINE, CONTROL, CANDIDATE = "#4a5a70", "#8c96a3", "#0a63c9"
# The same roles on a dark page; swapped by a style sheet inside the SVG.
DARK = {
    INK: "#e8edf4",
    MUTED: "#a3afbf",
    RULE: "#364152",
    PAPER: "#161c26",
    BAND: "#4a3b17",
    BASELINE: "#b6c2d2",
    CONTROL: "#7d8998",
    CANDIDATE: "#62b0ff",
}
ARM_COLOURS = {"baseline": BASELINE, "control": CONTROL, "candidate": CANDIDATE}
ARM_MARKERS = {"baseline": "o", "control": "D", "candidate": "s"}
ARM_LINES: dict[str, str] = {"baseline": "-", "control": ":", "candidate": "-"}
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "prfpipe",
    "font.family": ["DejaVu Sans"],
    "font.size": 12.0,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 13.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 11.5,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}
_DARK_RULES = "".join(
    f'[style*="fill: {light}"]{{fill:{dark}!important}}[style*="stroke: {light}"]{{stroke:{dark}!important}}'
    for light, dark in DARK.items()
)
# matplotlib leaves out the fill of black, which no colour here is, and of text in the default colour.
_DARK_STYLE = f"<style>@media (prefers-color-scheme: dark){{{_DARK_RULES}}}</style>"
_FONT = "'DejaVu Sans'"
_READERS_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans'"


@contextmanager
def figure(width: int, height: int) -> Iterator["Figure"]:
    """A figure of `width` x `height` CSS pixels in the house style, whatever the person's matplotlibrc says."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**mpl.rcParamsDefault, **_SETTINGS}), warnings.catch_warnings():
        # A name may hold characters that the layout font lacks; the reader's font has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield Figure(figsize=(width / 72, height / 72), layout="constrained")


def svg(drawing: "Figure", theme: Theme) -> bytes:
    """The SVG document, without date or tool version; to be called while its `figure` is open."""
    stream = io.StringIO()
    drawing.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(_FONT, _READERS_FONT)
    if theme == "auto":
        text = text.replace("<defs>", f"{_DARK_STYLE}<defs>", 1)
    return text.encode()


def duration_axis(axis: "Axis", values: Sequence[float]) -> None:
    """Ticks of an axis of nanoseconds as 200 µs, 1 ms, ...; logarithmic where the values span more than 4x."""
    number_axis(axis, values, lambda value: fmt.show(value, fmt.DURATION).replace(".00 ", " ").replace(".0 ", " "))


def ratio_axis(axis: "Axis", values: Sequence[float]) -> None:
    """Ticks of an axis of ratios as 0.5×, 1×, 2×; always logarithmic."""
    number_axis(axis, values, lambda value: f"{value:.4g}×", log=True)


def number_axis(axis: "Axis", values: Sequence[float], label: "object", *, log: bool | None = None) -> None:
    """Log or linear by the span of `values`, with ticks at 1, 2, 5 where there is room and round steps else."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    span = max(values) / min(values)
    logarithmic = span > 4 if log is None else log
    _set_scale(axis, "log" if logarithmic else "linear")
    steps = (1.0, 2.0, 5.0) if span < 300 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps) if logarithmic and span > 4 else MaxNLocator(5))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))  # type: ignore[operator]


def _set_scale(axis: "Axis", scale: str) -> None:
    axes: Axes = axis.axes
    (axes.set_xscale if axis.axis_name == "x" else axes.set_yscale)(scale)
