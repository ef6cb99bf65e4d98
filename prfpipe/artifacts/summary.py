"""The verdict where there is no page: Markdown for an orchestrator, plain text for the terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.art03 import EFFECTS_NOTE, guards_markdown, reasons_markdown, starred
from prfpipe.artifacts.derive import claim_word, headline, primary, rows
from prfpipe.artifacts.evidence import Evidence
from prfpipe.artifacts.names import clean, markdown
from prfpipe.artifacts.provenance import heading_markdown
from prfpipe.artifacts.report import FLAMEGRAPHS, data_uri
from prfpipe.artifacts.tables import markdown_table, text_table
from prfpipe.layout import VARIANTS
from prfpipe.models import ScenarioResult, Verdict

MAX_BYTES = 500_000


@dataclass(frozen=True)
class Kept:
    """Where the evidence is: `bundle` for people; `report` and `statement` as URLs until `until` (UTC), else paths.

    `report_sha256`: who opens a link has nothing else to check the report with.
    """

    bundle: str
    report: str
    statement: str
    report_sha256: str
    until: str = ""


@dataclass(frozen=True)
class NotKept:
    """Why the evidence is not archived, what to do about it, and where it stays until then."""

    why: str
    hint: str
    folder: str


def summary_markdown(evidence: Evidence, kept: Kept | NotKept | None = None, *, max_bytes: int = MAX_BYTES) -> str:
    """Verdict, where the evidence is, tables and pictures as one Markdown page of at most about `max_bytes`.

    Pictures are `data:` images, since Prefect drops raw SVG; one that does not fit is named instead.
    """
    plan, verdict = evidence.plan, evidence.verdict
    text = "\n".join(
        [
            heading_markdown(plan, "Verdict"),
            reasons_markdown(plan, verdict),
            *([_place(kept, plan.run_id)] if kept else []),
            f"{_speedups(verdict, plan.lever.expected_speedup)}\n",
            *(_before_after(result) for result in (primary(verdict),) if result),
            f"## Guards\n\n{guards_markdown(verdict)}\n",
        ]
    )
    room = max_bytes - len(text.encode())
    for title, place, svg in _pictures(evidence):
        image = f"![{markdown(title)}]({data_uri(svg)})\n"
        fits = len(image) <= room
        room -= len(image) * fits
        text += f"\n## {title}\n\n" + (image if fits else f"Too large for this page: see {markdown(place)}.\n")
    return text


def _place(kept: Kept | NotKept, run_id: str) -> str:
    if isinstance(kept, NotKept):
        lines = [f"**Not archived**: {markdown(kept.why, 1000)}", markdown(kept.hint, 1000)]
        return _list([*lines, f"The evidence stays on the worker: {_code(kept.folder)}"])
    if not kept.until:
        return _list([f"Full report: {_code(kept.report)}", f"Bundle: {_code(kept.bundle)}"])
    fetch = f"prfpipe fetch {run_id}"
    return _list(
        [
            f"[Full report]({kept.report}), sha256 {_code(kept.report_sha256)}",
            f"Bundle: {_code(kept.bundle)}, [its statement]({kept.statement})",
            f"Links are good until {kept.until}; {_code(f'{fetch} --link')} makes another, {_code(fetch)} copies all",
        ]
    )


def _list(lines: Sequence[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _code(text: str) -> str:
    """Text as it is typed, which cannot leave its place."""
    return f"`{clean(text, 1000).replace('`', '�')}`"


def _speedups(verdict: Verdict, expected: tuple[float, float]) -> str:
    """One row a scenario, narrow: the page beside a server's menus cuts what is wide."""
    if not verdict.scenarios:
        return "No scenario was compared."
    cells = [
        [
            starred(result),
            *(fmt.show(result.arms[arm].p50_ns.estimate, fmt.DURATION) for arm in VARIANTS),
            fmt.show_estimate(result.speedup, fmt.RATIO),
            claim_word(result, verdict, expected),
        ]
        for result in verdict.scenarios
    ]
    header = ("scenario", "baseline p50", "candidate p50", "speed-up", f"claim {fmt.show_range(*expected)}")
    return f"{markdown_table(header, cells)}\n\n{EFFECTS_NOTE}"


def _before_after(result: ScenarioResult) -> str:
    """Every metric of a scenario side by side."""
    cells = [
        [
            row.metric.title,
            fmt.show_point(row.baseline, row.metric.unit),
            fmt.show_point(row.candidate, row.metric.unit),
            fmt.show_estimate(row.improvement, fmt.CHANGE) if row.improvement else fmt.NONE,
        ]
        for row in rows(result)
    ]
    table = markdown_table(("metric", "baseline", "candidate", "improvement"), cells)
    counts = f"{result.invocations} invocations, {result.confidence * 100:g} % confidence"
    control = f"A/A control {fmt.show_estimate(result.control, fmt.RATIO)}"
    return f"## Before and after: {starred(result)}\n\n{counts}, {control}\n\n{table}\n"


def _pictures(evidence: Evidence) -> Iterator[tuple[str, str, bytes]]:
    if evidence.verdict.scenarios:
        from prfpipe.artifacts.plots.effect import forest

        # Light: the page that shows it may not follow the system's theme.
        yield "Speed-up by scenario", "report.html", forest(evidence, theme="light")
    for key, title, path in reversed(FLAMEGRAPHS):
        if key in evidence.flamegraphs:
            yield f"Flamegraph. {title}", path, evidence.flamegraphs[key]


def verdict_table(verdict: Verdict, expected: tuple[float, float] | None = None) -> str:
    """Verdict, one row a scenario, and the reasons, as plain text with aligned columns for a terminal.

    `expected` is the lever's expected speed-up; without it nothing is said about where the intervals lie.
    """
    title = f"{clean(verdict.lever, 40)}  {verdict.verdict.upper()}  claim {verdict.claim.replace('-', ' ')}"
    reasons = [f"- {clean(reason.message, 500)} ({clean(reason.code, 60)})" for reason in verdict.reasons]
    return "\n".join([title, headline(verdict), "", _effects(verdict, expected), "", *reasons])


def _effects(verdict: Verdict, expected: tuple[float, float] | None) -> str:
    if not verdict.scenarios:
        return "No scenario was compared."
    header = [
        "scenario",
        "baseline p50",
        "candidate p50",
        "speed-up",
        *(["expected", "claim"] if expected else []),
        *(["must hold"] if verdict.strata else []),
    ]
    note = "* primary: the claim is about it"
    if expected:
        note += "; (…) is where the interval of another scenario lies against the range"
    return f"{text_table(header, [_row(result, verdict, expected) for result in verdict.scenarios])}\n{note}"


def _row(result: ScenarioResult, verdict: Verdict, expected: tuple[float, float] | None) -> list[str]:
    cells = [
        clean(result.scenario, 40) + " *" * result.primary,
        fmt.show(result.arms["baseline"].p50_ns.estimate, fmt.DURATION),
        fmt.show(result.arms["candidate"].p50_ns.estimate, fmt.DURATION),
        fmt.show_estimate(result.speedup, fmt.RATIO),
    ]
    cells += [fmt.show_range(*expected), claim_word(result, verdict, expected)] if expected else []
    states = {stratum.scenario: stratum.state for stratum in verdict.strata}
    return [*cells, *([states.get(result.scenario, fmt.NONE)] if states else [])]
