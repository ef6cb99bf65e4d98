"""What gates say where there is no page: a table for the terminal, Markdown for a step summary or an orchestrator."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.names import clean, markdown
from prfpipe.artifacts.tables import markdown_table, text_table
from prfpipe.gates.history import Point, series
from prfpipe.models import GateCheck, GateId, GateReport, GateUnit

HEADER = ("gate", "subject", "answer", "p50", "p95", "p99", "bounds", "budget", "used")
NOTE = (
    "p50, p95, p99: of the first 100 samples; of an overhead only its estimate, under p99. bounds: of the true p99 or "
    "overhead, each at 95 % or more over all looks together."
)
_BARS = "▁▂▃▄▅▆▇█"
_MS = 1_000_000


@dataclass(frozen=True)
class Failed:
    """A gate that gave no answer, and why; `notes`: what its subject said."""

    id: GateId
    title: str
    kind: str
    message: str
    hint: str
    exit_code: int = 4
    notes: tuple[str, ...] = ()


Ended = GateReport | Failed


def text(ended: Sequence[Ended]) -> str:
    """All checks of all gates in one table with aligned columns, then what each says, then the answers."""
    rows = [row for item in ended if isinstance(item, GateReport) for row in _rows(item, lambda name: clean(name, 40))]
    table = f"{text_table(HEADER, rows, text_columns=3)}\n{NOTE}" if rows else ""
    return "\n\n".join(part for part in (table, "\n".join(_told(ended)), "\n".join(map(headline, ended))) if part)


def markdown_summary(ended: Sequence[Ended], earlier: Sequence[GateReport] = ()) -> str:
    """The same as Markdown, with a line of bars for each subject that has earlier runs."""
    rows = [row for item in ended if isinstance(item, GateReport) for row in _rows(item, markdown)]
    table = f"{markdown_table(HEADER, rows, text_columns=3)}\n\n{markdown(NOTE, 400)}" if rows else ""
    heads = "\n".join(f"- **{markdown(headline(item), 500)}**" for item in ended)
    told = "\n".join(f"- {markdown(line, 600)}" for line in _told(ended))
    return "\n\n".join(part for part in ("## Performance gates", heads, table, told, _trends(ended, earlier)) if part)


def headline(item: Ended) -> str:
    """One line: the gate, its answer, what decided it."""
    if isinstance(item, Failed):
        return f"{item.id} NOTHING MEASURED: {clean(item.message, 400)}"
    counts = [f"{sum(check.state == state for check in item.checks)} {word}" for state, word in _WORDS.items()]
    shown = ", ".join(count for count in counts if not count.startswith("0 "))
    of = f" of {clean(shlex.join(item.program), 200)}" if item.program else ""
    return f"{item.id} {item.state.upper()} ({item.profile.value}){of}: {shown}"


_WORDS = {
    "fail": "over budget",
    "undecided": "undecided",
    "warn": "within budget, near it",
    "pass": "within budget",
    "out-of-scope": "out of scope",
}


def _rows(report: GateReport, name: Callable[[str], str]) -> Iterator[list[str]]:
    for check in report.checks:
        first = check.first
        found = (first.p50_ns, first.p95_ns, first.p99_ns) if first else (None, None, None)
        quantiles = [fmt.show(value, fmt.DURATION) for value in found]
        yield [
            report.id,
            name(check.subject),
            check.state,
            *(quantiles if first else [fmt.NONE, fmt.NONE, figure(check.value, check.unit)]),
            f"[{figure(check.low, check.unit)}, {figure(check.high, check.unit)}]",
            limit(check),
            fmt.NONE if check.used_percent is None else f"{check.used_percent:.0f} %",
        ]


def figure(value: float | None, unit: GateUnit) -> str:
    """A figure of a check with its unit; a dash for None."""
    if value is None:
        return fmt.NONE
    return f"{value:+.2f} %" if unit == "percent" else fmt.show(value * _MS, fmt.DURATION)


def limit(check: GateCheck) -> str:
    """A check's budget as a person wrote it; a dash where it is out of scope."""
    if check.budget is None:
        return fmt.NONE
    return fmt.show_limit(check.budget) if check.unit == "percent" else f"{check.budget:g} ms"


def _told(ended: Sequence[Ended]) -> Iterator[str]:
    """A line for every check that did not simply pass, and where the evidence is."""
    for item in ended:
        if isinstance(item, Failed):
            yield f"{item.id}: {clean(item.message, 400)} ({clean(item.hint, 400)})"
            continue
        for check in item.checks:
            if check.state != "pass":
                flame = f"; flamegraph: {check.flamegraph}" if check.flamegraph else ""
                yield f"{item.id} {clean(check.subject, 60)}: {check.state}: {clean(check.message, 500)}{flame}"


def _trends(ended: Sequence[Ended], earlier: Sequence[GateReport]) -> str:
    lines = []
    for item in ended:
        if isinstance(item, GateReport):
            runs = (*(run for run in earlier if run.id == item.id), item)
            for check in item.checks:
                points = series(runs, check.subject)
                if len(points) > 1:
                    last = figure(check.value, check.unit)
                    lines.append(f"- {item.id} {markdown(check.subject)}: `{bars(points)}` {last}")
    return "\n".join(["Last runs, the newest on the right:", "", *lines]) if lines else ""


def bars(points: Sequence[Point]) -> str:
    """A line of bars from the smallest figure to the largest."""
    low, high = min(point.value for point in points), max(point.value for point in points)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((point.value - low) / step)] for point in points)


def flamegraphs(report: GateReport) -> dict[str, str]:
    """The regression evidence: failing subject -> file of its flamegraph."""
    return {check.subject: check.flamegraph for check in report.checks if check.flamegraph}


def worst_check(report: GateReport) -> GateCheck:
    """The check that decides the gate: of the same answer, the one that uses most of its budget."""
    order = list(_WORDS)
    return min(report.checks, key=lambda check: (order.index(check.state), -(check.used_percent or 0)))
