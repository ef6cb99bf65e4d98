"""ART-01, baseline report: what the baseline costs on this host before the candidate is looked at."""

from collections.abc import Iterator

from prfpipe import layout
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.derive import METRICS, certified_line, figure, heading
from prfpipe.artifacts.names import markdown
from prfpipe.artifacts.provenance import environment_markdown, heading_markdown
from prfpipe.artifacts.tables import markdown_table
from prfpipe.digests import pretty_json
from prfpipe.models import BaselineResult, Plan, SampleSet


def baseline_report(plan: Plan, results: tuple[BaselineResult, ...], samples: SampleSet) -> dict[str, bytes]:
    """`report.json` and `report.md` in art-01-baseline/, by their names in the bundle."""
    return {
        layout.BASELINE_REPORT: pretty_json(_document(plan, results, samples)),
        layout.BASELINE_TEXT: _page(plan, results, samples).encode(),
    }


def _document(plan: Plan, results: tuple[BaselineResult, ...], samples: SampleSet) -> dict[str, object]:
    return {
        "format": "prfpipe/art-01/v1",
        **heading(plan),
        "command": list(plan.provenance.command),
        "host": plan.host.model_dump(),
        "noise": plan.noise.model_dump(),
        "tools": plan.provenance.tools,
        "source_digest": plan.source_digest,
        "scenarios": [
            {
                **result.model_dump(mode="json"),
                "certified_tail": certified_line(result.arms["baseline"].certified),
                "measured_seconds": _measured_seconds(samples, result.scenario),
                "excluded": _excluded(samples, result.scenario),
            }
            for result in results
        ],
    }


def _measured_seconds(samples: SampleSet, scenario: str) -> float:
    elapsed = [item.elapsed_ns for item in samples.invocations if item.scenario == scenario]
    return round(max(elapsed, default=0) / 1e9, 3)


def _excluded(samples: SampleSet, scenario: str) -> list[dict[str, object]]:
    return [
        {"invocation": item.index, "reason": item.excluded}
        for item in samples.invocations
        if item.scenario == scenario and item.excluded is not None
    ]


def _page(plan: Plan, results: tuple[BaselineResult, ...], samples: SampleSet) -> str:
    parts = [
        heading_markdown(plan, "ART-01 baseline report"),
        f"## Figures\n\n{_figures(results)}\n\n## Certified tail and A/A control\n\n{_tails(results)}\n",
        *_exclusions(samples),
        environment_markdown(plan),
    ]
    return "\n".join(parts)


def _figures(results: tuple[BaselineResult, ...]) -> str:
    header = ["scenario", *(metric.title for metric in METRICS), "n"]
    rows = [
        [
            _name(result),
            *(fmt.show_estimate(figure(result.arms["baseline"], metric), metric.unit) for metric in METRICS),
            fmt.show_count(result.arms["baseline"].samples),
        ]
        for result in results
    ]
    return f"{markdown_table(header, rows)}\n\n{_legend(results)}"


def _legend(results: tuple[BaselineResult, ...]) -> str:
    levels = sorted({f"{result.confidence * 100:g} %" for result in results})
    return (
        f"Estimate [interval at {', '.join(levels)} confidence over invocations]; a dash stands where n "
        "gives no bound. Latency is time per operation, memory is the high-water mark of the process, "
        "cold start is from spawn to the first answered operation. ★ primary scenario."
    )


def _tails(results: tuple[BaselineResult, ...]) -> str:
    rows = [
        [
            _name(result),
            certified_line(result.arms["baseline"].certified),
            fmt.show_estimate(result.control, fmt.RATIO),
            fmt.show_count(result.invocations),
        ]
        for result in results
    ]
    table = markdown_table(("scenario", "certified tail", "A/A ratio", "invocations"), rows, text_columns=2)
    return f"{table}\n\nThe A/A ratio compares two copies of the baseline: it should hold 1."


def _exclusions(samples: SampleSet) -> Iterator[str]:
    flagged = [item for item in samples.invocations if item.excluded is not None]
    if flagged:
        rows = [(markdown(item.scenario), str(item.index), markdown(item.excluded or "")) for item in flagged]
        table = markdown_table(("scenario", "invocation", "why"), rows, text_columns=3)
        yield f"## Invocations that do not count\n\n{table}\n"


def _name(result: BaselineResult) -> str:
    return f"{markdown(result.scenario)}{' ★' if result.primary else ''}"
