"""ART-03, before/after comparison: verdict first, then every metric side by side for every scenario."""

from prfpipe import layout
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.derive import (
    Row,
    certified_line,
    claim_word,
    estimate_json,
    heading,
    position,
    primary,
    rows,
)
from prfpipe.artifacts.names import markdown
from prfpipe.artifacts.provenance import heading_markdown
from prfpipe.artifacts.tables import markdown_table
from prfpipe.digests import pretty_json
from prfpipe.models import Plan, ScenarioResult, Verdict


def comparison(plan: Plan, verdict: Verdict) -> dict[str, bytes]:
    """`comparison.json` and `comparison.md` in art-03-comparison/, by their names in the bundle."""
    return {
        layout.COMPARISON: pretty_json(_document(plan, verdict)),
        layout.COMPARISON_TEXT: _page(plan, verdict).encode(),
    }


def _document(plan: Plan, verdict: Verdict) -> dict[str, object]:
    return {
        "format": "prfpipe/art-03/v1",
        **heading(plan),
        "verdict": verdict.verdict,
        "claim": verdict.claim,
        "expected_speedup": list(plan.lever.expected_speedup),
        "reasons": [reason.model_dump() for reason in verdict.reasons],
        "guards": [guard.model_dump() for guard in verdict.guards],
        **({"strata": [stratum.model_dump() for stratum in verdict.strata]} if verdict.strata else {}),
        "scenarios": [_scenario(plan, result) for result in verdict.scenarios],
    }


def _scenario(plan: Plan, result: ScenarioResult) -> dict[str, object]:
    return {
        "scenario": result.scenario,
        "primary": result.primary,
        "invocations": result.invocations,
        "confidence": result.confidence,
        "speedup": estimate_json(result.speedup),
        "against_expected": position(result.speedup, plan.lever.expected_speedup),
        "aa_control": estimate_json(result.control),
        "resolvable_percent": result.resolvable_percent,
        "metrics": {row.metric.field: _metric(row) for row in rows(result)},
        "certified": {arm: result.arms[arm].certified.model_dump() for arm in sorted(result.arms)},
    }


def _metric(row: Row) -> dict[str, object]:
    return {
        "baseline": estimate_json(row.baseline),
        "candidate": estimate_json(row.candidate),
        "gain": estimate_json(row.gain),
        "improvement_percent": estimate_json(row.improvement),
    }


def _page(plan: Plan, verdict: Verdict) -> str:
    parts = [
        heading_markdown(plan, "ART-03 before/after comparison"),
        verdict_markdown(plan, verdict),
        f"## Guards\n\n{guards_markdown(verdict)}\n",
        *(_section(result) for result in verdict.scenarios),
        LEGEND,
    ]
    return "\n".join(parts) + "\n"


LEGEND = (
    "Estimate [interval]. Speed-ups and gains are baseline / candidate (candidate / baseline for "
    "throughput): above 1 the candidate is better. Improvement is the share of time or memory saved, or "
    "of throughput gained. A dash stands where n gives no bound."
)


def verdict_markdown(plan: Plan, verdict: Verdict) -> str:
    """Verdict, claim against the expected range, reasons, and the speed-up of every scenario."""
    return f"{reasons_markdown(plan, verdict)}\n{effects_markdown(plan, verdict)}\n"


def reasons_markdown(plan: Plan, verdict: Verdict) -> str:
    """Verdict, claim against the expected range, and reasons."""
    reasons = "\n".join(f"- {markdown(reason.message, 1000)} ({markdown(reason.code)})" for reason in verdict.reasons)
    return f"## Verdict: {verdict.verdict}\n\nClaim **{verdict.claim}**: {claim_sentence(plan, verdict)}\n\n{reasons}\n"


def claim_sentence(plan: Plan, verdict: Verdict) -> str:
    """The measured speed-up of the primary scenario against the expected range."""
    expected, result = fmt.show_range(*plan.lever.expected_speedup), primary(verdict)
    if result is None:
        return f"no speed-up was measured against the expected {expected}."
    return (
        f"speed-up {fmt.show_estimate(result.speedup, fmt.RATIO)} at {result.confidence * 100:g} % "
        f"confidence against the expected {expected}."
    )


def effects_markdown(plan: Plan, verdict: Verdict) -> str:
    """One row a scenario: median latencies, speed-up, claim, A/A control."""
    if not verdict.scenarios:
        return "No scenario was compared."
    expected = plan.lever.expected_speedup
    cells = [
        [
            starred(result),
            fmt.show(result.arms["baseline"].p50_ns.estimate, fmt.DURATION),
            fmt.show(result.arms["candidate"].p50_ns.estimate, fmt.DURATION),
            fmt.show_estimate(result.speedup, fmt.RATIO),
            fmt.show_range(*expected),
            claim_word(result, verdict, expected),
            fmt.show_estimate(result.control, fmt.RATIO),
        ]
        for result in verdict.scenarios
    ]
    header = ("scenario", "baseline p50", "candidate p50", "speed-up", "expected", "claim", "A/A control")
    return f"{markdown_table(header, cells)}\n\n{EFFECTS_NOTE}"


EFFECTS_NOTE = (
    "★ primary scenario: the claim is about it; for the others, in parentheses, where their interval lies "
    "against the range."
)


def guards_markdown(verdict: Verdict) -> str:
    """The guards and then the strata, and how much of a regression the measurement leaves open."""
    return "\n\n".join([_guards(verdict), *([_strata(verdict)] if verdict.strata else [])])


def _guards(verdict: Verdict) -> str:
    if not verdict.guards:
        return "The lever declares no guards, or the run ended before they were looked at."
    cells = [
        [
            guard.metric,
            guard.state,
            f"{guard.max_regression_percent:g} %",
            fmt.show_worst(guard.worst_percent, guard.max_regression_percent),
        ]
        for guard in verdict.guards
    ]
    return markdown_table(("guard", "state", "may get worse by", "worst left open"), cells, text_columns=2)


def _strata(verdict: Verdict) -> str:
    cells = [
        [
            markdown(stratum.scenario),
            stratum.state,
            fmt.show_limit(stratum.margin_percent),
            fmt.show_worst(stratum.worst_percent, stratum.margin_percent),
        ]
        for stratum in verdict.strata
    ]
    table = markdown_table(("stratum", "state", "may be slower by", "worst left open"), cells, text_columns=2)
    return f"{table}\n\n{STRATA_NOTE}"


STRATA_NOTE = "◆ stratum, a scenario that must hold: a gain elsewhere does not make up for a loss there."


def _section(result: ScenarioResult) -> str:
    cells = [
        [
            row.metric.title,
            fmt.show_estimate(row.baseline, row.metric.unit),
            fmt.show_estimate(row.candidate, row.metric.unit),
            fmt.show_estimate(row.gain, fmt.RATIO) if row.gain else fmt.NONE,
            fmt.show_estimate(row.improvement, fmt.CHANGE) if row.improvement else fmt.NONE,
        ]
        for row in rows(result)
    ]
    table = markdown_table(("metric", "baseline", "candidate", "gain", "improvement"), cells)
    tails = "\n".join(f"- {arm}: {certified_line(result.arms[arm].certified)}" for arm in ("baseline", "candidate"))
    counts = f"{result.invocations} invocations, {result.confidence * 100:g} % confidence"
    return f"## {starred(result)}\n\n{counts}\n\n{table}\n\n{tails}\n"


def starred(result: ScenarioResult) -> str:
    """The scenario's name for Markdown, with a star if it is the primary one and a diamond if it is a stratum."""
    return markdown(result.scenario) + " ★" * result.primary + " ◆" * result.must_hold
