"""Flamegraphs as static SVG: no scripts, nothing loaded, equal profiles give equal bytes, every text escaped.

Flamegraphs are Brendan Gregg's (2016, "The Flame Graph"), drawn with the outermost function on top. The
differential one draws both profiles on one time scale: what is narrower below was saved.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr
from zlib import crc32

from prfpipe.profilers.differential import SCALE, Difference
from prfpipe.profilers.frames import Frame, Stacks, Targets, printable

WIDTH, MARGIN, ROW = 1200, 12, 18
MAX_ROWS = 60
MAX_BOXES = 4000
MIN_SHARE = 0.001
_CHARACTER = 6.65
_INNER = WIDTH - 2 * MARGIN
_FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_HEADER = 68

_TARGET, _OWN, _LIBRARY = (238, 118, 84), (246, 186, 92), (158, 190, 204)
_NEUTRAL, _GREW, _SHRANK = (233, 230, 224), (233, 92, 74), (92, 154, 220)
NEUTRAL_SHARE = 0.005
"""A change below this share of the baseline's time is drawn as none."""


@dataclass
class Node:
    """A function at one place of the stacks, with its inclusive weight in each of the profiles."""

    frame: Frame
    before: int = 0
    after: int = 0
    children: dict[Frame, "Node"] = field(default_factory=dict)


@dataclass(frozen=True)
class Box:
    """Where a node is drawn: `x` and `width` in pixels, `row` from the top of its panel."""

    node: Node
    x: float
    width: float
    row: int


@dataclass(frozen=True)
class Panel:
    """One flamegraph: its tree, pixels to a unit of `weight`, how to colour and describe a node."""

    caption: str
    root: Node
    scale: float
    weight: Callable[[Node], int]
    colour: Callable[[Node], str]
    describe: Callable[[Node], str]


def flamegraph(stacks: Stacks, *, title: str, subtitle: str, targets: Targets) -> bytes:
    """The SVG of one profile; targets stand out, the lever's own code is warm, libraries are cool."""
    samples = sum(stacks.values())
    panel = Panel(
        caption="",
        root=tree(stacks, {}),
        scale=_INNER / samples,
        weight=_before,
        colour=lambda node: _category(node.frame, targets),
        describe=lambda node: f"{100 * node.before / samples:.2f} %, {node.before} samples",
    )
    legend = [("target", _TARGET), ("lever's code", _OWN), ("library", _LIBRARY)]
    return _document(title, subtitle, legend, [panel])


def differential(difference: Difference, *, title: str, subtitle: str) -> bytes:
    """The SVG of two profiles on the baseline's time scale: red grew, blue shrank."""
    root = tree(difference.before, difference.after)
    scale = _INNER / max(sum(difference.before.values()), sum(difference.after.values()))
    panels = [
        Panel(f"{name}: {_share(weight(root))} of the baseline's time", root, scale, weight, _change, _describe)
        for name, weight in (("baseline", _before), ("candidate", _after))
    ]
    legend = [("grew", _GREW), ("same", _NEUTRAL), ("shrank", _SHRANK)]
    return _document(title, subtitle, legend, panels)


def tree(before: Stacks, after: Stacks) -> Node:
    """Merge stacks by their common beginnings; the root stands for all of them."""
    root = Node(Frame("all", ""), sum(before.values()), sum(after.values()))
    for stack, count in before.items():
        for node in _path(root, stack):
            node.before += count
    for stack, count in after.items():
        for node in _path(root, stack):
            node.after += count
    return root


def _path(root: Node, stack: Sequence[Frame]) -> Iterator[Node]:
    node = root
    for frame in stack[:MAX_ROWS]:
        node = node.children.setdefault(frame, Node(frame))
        yield node


def layout(panel: Panel) -> list[Box]:
    """Boxes of a panel, parents first; what is narrower than 0.1 % or beyond the limits is left out."""
    boxes = [Box(panel.root, float(MARGIN), panel.weight(panel.root) * panel.scale, 0)]
    for box in boxes:  # grows while it is walked
        x = box.x
        for frame in sorted(box.node.children):
            child = box.node.children[frame]
            width = panel.weight(child) * panel.scale
            if width >= MIN_SHARE * _INNER:
                boxes.append(Box(child, x, width, box.row + 1))
            x += width
    # Stable: a child is never wider than its parent, so no box is kept without what it stands on.
    return sorted(boxes, key=lambda box: -box.width)[:MAX_BOXES]


def _before(node: Node) -> int:
    return node.before


def _after(node: Node) -> int:
    return node.after


def _share(units: int) -> str:
    return f"{100 * units / SCALE:.1f} %"


def _describe(node: Node) -> str:
    change = 100 * (node.after - node.before) / SCALE
    return f"{_share(node.before)} before, {_share(node.after)} after, {change:+.2f} % of the baseline's time"


def _change(node: Node) -> str:
    change = node.after - node.before
    if abs(change) < NEUTRAL_SHARE * SCALE:
        return _rgb(_NEUTRAL)
    strength = 0.25 + 0.75 * abs(change) / max(node.before, node.after)
    return _mix(_NEUTRAL, _GREW if change > 0 else _SHRANK, strength)


def _category(frame: Frame, targets: Targets) -> str:
    """A shade by name, so that neighbours can be told apart and a function looks the same everywhere."""
    base = _TARGET if targets.match(frame) else _LIBRARY if frame.file.startswith("<") else _OWN
    if frame == Frame("all", ""):
        return _rgb(_NEUTRAL)
    return _mix(base, (255, 255, 255), (crc32(frame.label.encode()) % 100) / 280)


def _mix(one: tuple[int, ...], other: tuple[int, ...], share: float) -> str:
    return _rgb(tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True)))


def _rgb(colour: tuple[int, ...]) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in colour)


def _document(
    title: str, subtitle: str, legend: Sequence[tuple[str, tuple[int, ...]]], panels: Sequence[Panel]
) -> bytes:
    body: list[str] = []
    top = _HEADER
    for panel in panels:
        top = _draw(panel, top, body) + 16
    size = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    name = quoteattr(printable(title))
    style = f'font-family="{_FONT}" font-size="11" fill="#22262b"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={name} {style}>',
        f'<rect width="{WIDTH}" height="{top}" fill="#fdfcfa"/>',
        _text(MARGIN, 26, title, 'font-size="17" font-weight="700" font-family="system-ui, sans-serif"'),
        _text(MARGIN, 46, subtitle, 'font-size="12.5" fill="#5d6670" font-family="system-ui, sans-serif"'),
        *_legend(legend),
        *body,
        "</svg>\n",
    ]
    return "\n".join(lines).encode()


def _legend(entries: Sequence[tuple[str, tuple[int, ...]]]) -> Iterator[str]:
    x = float(WIDTH - MARGIN)
    for name, colour in reversed(entries):
        x -= len(name) * _CHARACTER + 24
        yield f'<rect x="{x:.1f}" y="15" width="13" height="13" rx="2.5" fill="{_rgb(colour)}"/>'
        yield _text(x + 18, 26, name)


def _draw(panel: Panel, top: int, body: list[str]) -> int:
    if panel.caption:
        caption = 'font-size="13" font-weight="600" font-family="system-ui, sans-serif"'
        body.append(_text(MARGIN, top + 9, panel.caption, caption))
        top += 18
    boxes = layout(panel)
    body.extend(_box(box, top, panel) for box in boxes)
    return top + (max(box.row for box in boxes) + 1) * ROW


def _box(box: Box, top: int, panel: Panel) -> str:
    y = top + box.row * ROW
    rect = (
        f'<rect x="{box.x:.1f}" y="{y}" width="{max(box.width - 0.6, 0.6):.1f}" height="{ROW - 1}" rx="1.5" '
        f'fill="{panel.colour(box.node)}"/>'
    )
    label = _fit(box.node.frame, int((box.width - 8) / _CHARACTER))
    text = _text(box.x + 4, y + 12.5, label) if label else ""
    tooltip = escape(f"{box.node.frame.label}: {panel.describe(box.node)}")
    return f"<g><title>{tooltip}</title>{rect}{text}</g>"


def _fit(frame: Frame, room: int) -> str:
    """The longest form of the name that `room` characters hold: with file, without, cut, or none."""
    if len(frame.label) <= room:
        return frame.label
    if len(frame.function) <= room:
        return frame.function
    return frame.function[: room - 1] + "…" if room >= 4 else ""


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{" " + style if style else ""}>{escape(printable(text))}</text>'
