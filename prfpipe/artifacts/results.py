"""The results of several levers side by side: for a terminal, and as a Markdown page from their bundles."""

from collections.abc import Sequence
from dataclasses import dataclass

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.art03 import EFFECTS_NOTE, guards_markdown, starred
from prfpipe.artifacts.derive import claim_word, primary
from prfpipe.artifacts.names import clean, markdown
from prfpipe.artifacts.tables import markdown_table, text_table
from prfpipe.models import Plan, ScenarioResult, Verdict


@dataclass(frozen=True)
class Result:
    """What one evaluation of a lever was planned as and ended with."""

    plan: Plan
    verdict: Verdict

    @property
    def expected(self) -> str:
        """The range that the lever claims."""
        return fmt.show_range(*self.plan.lever.expected_speedup)


def results_text(results: Sequence[Result]) -> str:
    """A row a scenario, with aligned columns for a terminal."""
    header = ("lever", "verdict", "scenario", "baseline p50", "candidate p50", "speed-up", "expected", "claim")
    cells = [row for result in results for row in _text_rows(result)]
    return f"{text_table(header, cells, text_columns=3)}\n{_TEXT_NOTE}"


_TEXT_NOTE = (
    "* primary: verdict and claim are about it; (…) is where the interval of another scenario lies against the range\n"
    "◆ stratum: must hold for itself"
)


def _text_rows(result: Result) -> list[list[str]]:
    verdict = result.verdict
    named = [clean(verdict.lever, 40), verdict.verdict]
    if not verdict.scenarios:
        return [[*named, *["–"] * 4, result.expected, verdict.claim.replace("-", " ")]]
    return [
        [
            *named,
            clean(item.scenario, 40) + " *" * item.primary + " ◆" * item.must_hold,
            *_figures(item),
            result.expected,
            claim_word(item, verdict, result.plan.lever.expected_speedup),
        ]
        for item in verdict.scenarios
    ]


def _figures(item: ScenarioResult) -> list[str]:
    p50s = [fmt.show(item.arms[arm].p50_ns.estimate, fmt.DURATION) for arm in ("baseline", "candidate")]
    return [*p50s, fmt.show_estimate(item.speedup, fmt.RATIO)]


def results_markdown(results: Sequence[Result]) -> str:
    """A page: one row a lever, then every scenario of each with its guards, run, host and commit."""
    title = "# The levers, measured\n\n" + _PAGE_NOTE
    header = ("lever", "expected", "measured", "claim", "verdict", "effort", "date")
    overview = markdown_table(header, [_overview_row(result) for result in results], text_columns=2)
    return "\n".join([title, "", overview, "", *(lever_markdown(result) for result in results)])


_PAGE_NOTE = (
    "`prfpipe results --markdown` wrote this page from the newest bundle of each lever, after auditing each. "
    "A speed-up is baseline / candidate of the median latency, with its interval."
)


def _overview_row(result: Result) -> list[str]:
    verdict, best = result.verdict, primary(result.verdict)
    return [
        f"[{markdown(verdict.lever)}](#{verdict.lever.lower()})",
        result.expected,
        fmt.show_estimate(best.speedup, fmt.RATIO) if best else fmt.NONE,
        verdict.claim.replace("-", " "),
        verdict.verdict,
        verdict.effort.value,
        result.plan.provenance.created_at[:10],
    ]


def lever_markdown(result: Result) -> str:
    """One lever: where and when it was measured, every scenario, guards and strata."""
    verdict, plan = result.verdict, result.plan
    host, made = plan.host, plan.provenance
    dirty = ", with changes" if made.git_dirty else ""
    measured = (
        f"{made.created_at[:10]}, {verdict.effort.value} effort, {host.cpus} CPUs ({markdown(host.cpu_model)}), "
        f"{markdown(host.python)}, commit {markdown(made.git_commit[:12])}{dirty}, run `{plan.run_id}`: "
        f"**{verdict.verdict}, claim {verdict.claim.replace('-', ' ')}** (expected {result.expected})."
    )
    return "\n".join(
        [f"## {markdown(verdict.lever)}", "", measured, "", _scenarios(result), "", guards_markdown(verdict), ""]
    )


def _scenarios(result: Result) -> str:
    header = (
        "scenario",
        "baseline p50",
        "candidate p50",
        "speed-up",
        "against the range",
        "A/A control",
        "invocations",
    )
    cells = [
        [
            starred(item),
            *_figures(item),
            claim_word(item, result.verdict, result.plan.lever.expected_speedup),
            fmt.show_estimate(item.control, fmt.RATIO),
            fmt.show_count(item.invocations),
        ]
        for item in result.verdict.scenarios
    ]
    if not cells:
        return "No scenario was compared."
    level = f"{result.verdict.scenarios[0].confidence * 100:g} %"
    return f"{markdown_table(header, cells)}\n\n{EFFECTS_NOTE} Intervals in brackets hold at {level}."
