"""ART-05, tail-latency impact: p99 against the uninstrumented (baseline) variant, and what n certifies."""

from prfpipe import layout
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.derive import certified_line, estimate_json, heading, overhead
from prfpipe.artifacts.names import markdown
from prfpipe.artifacts.provenance import heading_markdown
from prfpipe.artifacts.tables import markdown_table
from prfpipe.digests import pretty_json
from prfpipe.doctrine import OVERHEAD_BUDGET_PERCENT as BUDGET_PERCENT
from prfpipe.models import Estimate, Plan, ScenarioResult, Verdict

NOT_INSTRUMENTED = "not applicable: no security instrumentation in this lever"


def tail_notes(plan: Plan, verdict: Verdict, *, justification: str | None = None) -> dict[str, bytes]:
    """`tail.json` and `tail.md` in art-05-tail/, by their names in the bundle.

    `justification` is what the lever gives for an overhead over the budget of 5 %; None for a lever that adds
    no security instrumentation.
    """
    return {
        layout.TAIL: pretty_json(_document(plan, verdict, justification)),
        layout.TAIL_TEXT: _page(plan, verdict, justification).encode(),
    }


def _document(plan: Plan, verdict: Verdict, justification: str | None) -> dict[str, object]:
    return {
        "format": "prfpipe/art-05/v1",
        **heading(plan),
        "overhead_is_relative_to": "baseline variant (uninstrumented)",
        "budget_percent": BUDGET_PERCENT,
        "over_budget": over_budget(verdict),
        "justification": justification,
        "justification_note": _note(verdict, justification),
        "scenarios": [_scenario(result) for result in verdict.scenarios],
    }


def _scenario(result: ScenarioResult) -> dict[str, object]:
    baseline, candidate = result.arms["baseline"], result.arms["candidate"]
    return {
        "scenario": result.scenario,
        "primary": result.primary,
        "p99_ns": {
            "baseline": estimate_json(baseline.p99_ns),
            "candidate": estimate_json(candidate.p99_ns),
        },
        "p99_overhead_percent": estimate_json(_p99_overhead(result)),
        "p50_overhead_percent": estimate_json(overhead(result.speedup)),
        "certified": {
            "baseline": baseline.certified.model_dump(),
            "candidate": candidate.certified.model_dump(),
        },
        "certified_line": certified_line(candidate.certified),
    }


def _p99_overhead(result: ScenarioResult) -> Estimate | None:
    gain = result.gains.get("p99")
    return overhead(gain) if gain else None


def over_budget(verdict: Verdict) -> list[str]:
    """Scenarios whose p50 or p99 overhead is estimated above the budget."""
    return [
        result.scenario
        for result in verdict.scenarios
        if any(item and item.estimate > BUDGET_PERCENT for item in (overhead(result.speedup), _p99_overhead(result)))
    ]


def _note(verdict: Verdict, justification: str | None) -> str:
    if justification is not None:
        return justification
    over = over_budget(verdict)
    measured = f"over {BUDGET_PERCENT:g} % in: {', '.join(over)}" if over else "no scenario is over the budget"
    return f"{NOT_INSTRUMENTED}; {measured}"


def _page(plan: Plan, verdict: Verdict, justification: str | None) -> str:
    cells = [_cells(result) for result in verdict.scenarios]
    header = ("scenario", "p99 baseline", "p99 candidate", "p99 overhead", "p50 overhead")
    tails = [
        f"- {markdown(item.scenario)}: {certified_line(item.arms['candidate'].certified)}" for item in verdict.scenarios
    ]
    parts = [
        heading_markdown(plan, "ART-05 tail-latency impact"),
        f"{markdown_table(header, cells) if cells else 'No scenario was compared.'}\n",
        (
            "Overhead is the candidate's time relative to the baseline (uninstrumented) variant: below 0 it "
            f"takes less. The budget for security instrumentation is {BUDGET_PERCENT:g} %.\n"
        ),
        "## Certified tail of the candidate\n",
        "\n".join(tails) + "\n",
        f"## Justification\n\n{markdown(_note(verdict, justification), 4000)}\n",
    ]
    return "\n".join(parts)


def _cells(result: ScenarioResult) -> list[str]:
    baseline, candidate, p99 = result.arms["baseline"], result.arms["candidate"], _p99_overhead(result)
    return [
        f"{markdown(result.scenario)}{' ★' if result.primary else ''}",
        fmt.show_estimate(baseline.p99_ns, fmt.DURATION),
        fmt.show_estimate(candidate.p99_ns, fmt.DURATION),
        fmt.show_estimate(p99, fmt.CHANGE) if p99 else fmt.NONE,
        fmt.show_estimate(overhead(result.speedup), fmt.CHANGE),
    ]
