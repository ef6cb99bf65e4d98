"""`report.html` of a gate: one self-contained page, the answer first. No script, nothing from the network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prfpipe.artifacts.names import clean
from prfpipe.artifacts.pictures import Picture
from prfpipe.artifacts.report import MAX_FLAMEGRAPH_BYTES, Flamegraph, data_uri, render
from prfpipe.gates import plots
from prfpipe.gates.findings import Findings
from prfpipe.gates.history import Point, series
from prfpipe.gates.measurement import Moment
from prfpipe.gates.summary import figure, headline, limit, worst_check
from prfpipe.models import GateCheck, GateReport

_NARROW = 420
_MAX_MOMENTS = 1500
_MARKS = {"pass": "✓", "warn": "!", "fail": "✕", "undecided": "?"}
_TONES = {"pass": "adopt", "warn": "undecided", "fail": "reject", "undecided": "undecided"}
_TAGS = {"pass": "good", "warn": "open", "fail": "bad", "undecided": "open", "out-of-scope": ""}


@dataclass(frozen=True)
class Trend:
    """A subject's last runs: how many, from the smallest to the largest figure, and the sparkline."""

    subject: str
    runs: int
    lowest: str
    highest: str
    last: str
    svg: bytes


def page(report: GateReport, found: Findings, earlier: Sequence[GateReport]) -> bytes:
    """The page of one run; `earlier` runs of the same gate, oldest first, give it its sparklines."""
    return render("gate.html.j2", _context(report, found, earlier))


def _context(report: GateReport, found: Findings, earlier: Sequence[GateReport]) -> Mapping[str, object]:
    return {
        "report": report,
        "headline": headline(report),
        "worst": worst_check(report),
        "mark": _MARKS[report.state],
        "tone": _TONES[report.state],
        "tags": _TAGS,
        "figure": figure,
        "limit": limit,
        "pictures": list(_pictures(report, found)),
        "flamegraphs": [_flamegraph(check, found.files) for check in report.checks if check.flamegraph],
        "trends": list(_trends(report, earlier)),
    }


def _pictures(report: GateReport, found: Findings) -> Iterator[Picture]:
    yield _effects(report) if report.checks[0].unit == "percent" else _budgets(report)
    for check in report.checks:
        if check.phases:
            yield _phases(check)
    if spikes := _spikes(report, found):
        yield _timeline(spikes)


def _budgets(report: GateReport) -> Picture:
    words = [
        f"{clean(check.subject)} {check.used_percent:g} %" for check in report.checks if check.used_percent is not None
    ]
    return Picture(
        "budgets",
        title="Against the budgets",
        caption="Bars and dots: the p99. Lines: its exact bounds. Red: the budget. "
        f"Dashed: {report.warn_at_percent:g} % of it, from where a pass warns.",
        alt=f"Share of each budget that may be used: {'; '.join(words)}.",
        svg=plots.budget_bars(report.checks, report.warn_at_percent),
        narrow=plots.budget_bars(report.checks, report.warn_at_percent, width=_NARROW),
    )


def _effects(report: GateReport) -> Picture:
    words = [f"{clean(check.subject)} {figure(check.value, check.unit)}" for check in report.checks]
    return Picture(
        "effects",
        title="Overhead of each hot path",
        caption="Squares are estimates, lines their intervals: instrumentation on against off, paired and interleaved. "
        "Red is the budget; a path without it is out of scope.",
        alt=f"Overheads with intervals: {'; '.join(words)}.",
        svg=plots.effects(report.checks),
        narrow=plots.effects(report.checks, width=_NARROW),
    )


def _phases(check: GateCheck) -> Picture:
    words = [f"{clean(name)} {plots.show_quantiles(found)}" for name, found in check.phases.items()]
    return Picture(
        "phases",
        title=f"Where the time goes: {clean(check.subject)}",
        caption="A bar for each phase at its median, with a line to its p99. The longest bar is what to shorten first.",
        alt=f"Phases of {clean(check.subject)}: {'; '.join(words)}.",
        svg=plots.phase_bars(check.phases),
        narrow=plots.phase_bars(check.phases, width=_NARROW),
    )


def _spikes(report: GateReport, found: Findings) -> list[plots.Spike]:
    budgets = {check.subject: check.budget for check in report.checks}
    shares = [_spike(moment, budget) for moment in found.timeline if (budget := budgets.get(moment.subject))]
    # The slowest are what the picture is about; of the others, evenly spaced ones show the level.
    slow = sorted(shares, key=lambda spike: (not spike.judged, -spike.share))[: _MAX_MOMENTS // 3]
    step = max(1, len(shares) // (_MAX_MOMENTS - len(slow)))
    return sorted({*slow, *shares[::step]}, key=lambda spike: (spike.seconds, spike.share, spike.subject))


def _spike(moment: Moment, budget: float) -> plots.Spike:
    share = plots.share_of_budget(moment.latency_ns, budget)
    return plots.Spike(moment.at_ns / 1e9, share, moment.kind, moment.subject, moment.judged)


def _timeline(spikes: Sequence[plots.Spike]) -> Picture:
    highest = max(spikes, key=lambda spike: (spike.judged, spike.share))
    return Picture(
        "timeline",
        title="Spikes over time",
        caption="Each dot is one latency from its intended start, in percent of its subject's budget, so that waiting "
        "behind a slow one counts. What is over budget is ringed, if it is little, and the highest are named. The "
        "static arm is not judged: it is there to compare with.",
        alt=f"Latencies over time; the highest is {clean(highest.subject)} at {highest.share:.0f} % of its budget.",
        svg=plots.timeline(spikes),
        narrow=plots.timeline(spikes, width=_NARROW),
    )


def _flamegraph(check: GateCheck, files: Mapping[str, bytes]) -> Flamegraph:
    data = files[check.flamegraph]
    uri = data_uri(data) if len(data) <= MAX_FLAMEGRAPH_BYTES else None
    return Flamegraph(f"Over budget: {clean(check.subject)}", check.flamegraph, uri, made=True)


def _trends(report: GateReport, earlier: Sequence[GateReport]) -> Iterator[Trend]:
    for check in report.checks:
        points: tuple[Point, ...] = series((*earlier, report), check.subject)
        if len(points) > 1:
            values = [point.value for point in points]
            yield Trend(
                check.subject,
                len(points),
                figure(min(values), check.unit),
                figure(max(values), check.unit),
                figure(check.value, check.unit),
                plots.sparkline(points, budget=check.budget),
            )
