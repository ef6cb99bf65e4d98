"""How all plots look, in light and dark, and how a figure becomes SVG bytes.

Text stays text, so that it is small and uses the reader's font; layout is by DejaVu Sans, which is wider than
the fonts it is replaced with, so that nothing grows into its neighbour.
"""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from prfpipe.artifacts import format as fmt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Theme = Literal["auto", "light"]
Which = Literal["x", "y"]

INK, MUTED, RULE, PAPER, BAND = "#1b2430", "#5a6675", "#d5dbe3", "#ffffff", "#fbe9c6"
BASELINE, CONTROL, CANDIDATE = "#4a5a70", "#8c96a3", "#0a63c9"
# Answers; a mark or a word always stands beside the colour.
GOOD, NEAR, BAD, OPEN = "#1f8a43", "#c58a00", "#c62a2f", "#8a6d3b"
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
    GOOD: "#5fce85",
    NEAR: "#f0b93a",
    BAD: "#ff8a84",
    OPEN: "#cdb38a",
}
ARM_COLOURS = {"baseline": BASELINE, "control": CONTROL, "candidate": CANDIDATE}
ARM_MARKERS = {"baseline": "o", "control": "D", "candidate": "s"}
ARM_LINES: dict[str, str] = {"baseline": "-", "control": ":", "candidate": "-"}
_SETTINGS: dict[Any, Any] = {
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
_LOG_SPAN, _FINE, _DECADES_ONLY = 4, 10, 300
_FONT = "'DejaVu Sans'"
_READERS_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans'"


@contextmanager
def figure(width: int, height: int) -> Iterator["Figure"]:
    """A figure of `width` x `height` CSS pixels in the house style, whatever a matplotlibrc says."""
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


def duration_axis(axes: "Axes", which: Which, values: Sequence[float], *, ticks: int = 5) -> None:
    """Ticks of nanoseconds as 200 µs, 1 ms, ...; logarithmic where the values span more than 4x."""
    wide = _spans(values) > _LOG_SPAN
    _set_axis(axes, which, _short_duration, wide=wide, log=wide, ticks=ticks, subs=_subs(values))


def ratio_axis(axes: "Axes", which: Which, values: Sequence[float]) -> None:
    """Ticks of an axis of ratios as 0.5×, 1×, 2×; always logarithmic."""
    wide = _spans(values) > _LOG_SPAN
    _set_axis(axes, which, lambda value: f"{value:.4g}×", wide=wide, log=True, ticks=6, subs=_subs(values))


def _short_duration(value: float) -> str:
    number, _, unit = fmt.show(value, fmt.DURATION).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def _spans(values: Sequence[float]) -> float:
    return max(values) / min(values) if min(values) > 0 else 1.0


def _subs(values: Sequence[float]) -> tuple[float, ...]:
    span = _spans(values)
    if span < _FINE:
        return (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    return (1.0, 2.0, 5.0) if span < _DECADES_ONLY else (1.0,)


def _set_axis(
    axes: "Axes", which: Which, label: Callable[[float], str], *, wide: bool, log: bool, ticks: int,
    subs: tuple[float, ...],
) -> None:  # fmt: skip
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log" if log else "linear")
    axis.set_major_locator(LogLocator(subs=subs) if wide else MaxNLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
