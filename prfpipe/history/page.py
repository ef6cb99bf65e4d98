"""`history.html`, a self-contained page, and the same in words for a terminal and for Markdown."""

from collections.abc import Iterator, Sequence

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.names import clean, markdown
from prfpipe.artifacts.pictures import Picture
from prfpipe.artifacts.report import render
from prfpipe.artifacts.tables import markdown_table, text_table
from prfpipe.history.plots import trend
from prfpipe.history.retention import adopted
from prfpipe.models import HistoryPoint, LeverHistory
from prfpipe.store.bundles.refs import started

_HEADER = ("lever", "host", "runs", "adopted", "last", "left of the gain", "answer", "last change of level")
_NARROW = 420
SHOWN = 30


def page(histories: Sequence[LeverHistory]) -> bytes:
    """The page: an overview, then each lever and host with its trend, changes and last `SHOWN` runs."""
    return render(
        "history.html.j2",
        {
            "header": _HEADER,
            "overview": [list(_row(item)) for item in histories],
            "histories": [(item, picture(item), list(reversed(item.points[-SHOWN:]))) for item in histories],
            "answer": answer,
        },
    )


def picture(history: LeverHistory) -> Picture:
    """The trend with its words."""
    return Picture(
        f"trend-{history.lever.lower()}-{history.host}",
        title=f"{clean(history.lever)} on {clean(history.host)}",
        caption="Dots: speed-up of the primary scenario, with its interval. Band: the adopted evidence. "
        "Dotted: a change of level; beside it the level from there on.",
        alt=f"Speed-up over {len(history.points)} runs: last change of level: {_last_change(history)}.",
        svg=trend(history),
        narrow=trend(history, width=_NARROW, height=260),
    )


def text(histories: Sequence[LeverHistory], problems: Sequence[str] = ()) -> str:
    """A row a lever and host, for a terminal; below it what was left out, also of levers that have no row."""
    lines = [text_table(_HEADER, [list(_row(item)) for item in histories], text_columns=2)]
    left_out = dict.fromkeys([*(words for item in histories for words in item.left_out), *problems])
    lines += [f"ended: {clean(item.ended, 300)}" for item in histories if item.ended]
    return "\n".join([*lines, *(f"left out: {clean(words, 300)}" for words in left_out)])


def table(histories: Sequence[LeverHistory]) -> str:
    """The same as a Markdown table."""
    return markdown_table(_HEADER, [[markdown(cell) for cell in _row(item)] for item in histories], text_columns=2)


def answer(history: LeverHistory) -> str:
    """`kept`, `rotted` or `undecided`; a dash where nothing was adopted."""
    return history.retention.state if history.retention else fmt.NONE


def _row(history: LeverHistory) -> Iterator[str]:
    reference = adopted(history.points)
    yield clean(history.lever, 40)
    yield clean(history.host, 40)
    yield fmt.show_count(len(history.points))
    yield _speedup(reference) if reference else fmt.NONE
    yield _speedup(history.points[-1])
    yield fmt.show_estimate(history.retention.share, fmt.RATIO) if history.retention else fmt.NONE
    yield answer(history)
    yield _last_change(history)


def _speedup(point: HistoryPoint) -> str:
    return fmt.show_estimate(point.speedup, fmt.RATIO)


def _last_change(history: LeverHistory) -> str:
    if not history.changes:
        return "none"
    change = history.changes[-1]
    return f"{change.change_percent:+.1f} % since {started(change.run_id):%Y-%m-%d}"
