"""The verdict in Markdown for an orchestrator and as plain text for the terminal."""

import base64
import re
from dataclasses import replace

from prfpipe.artifacts.names import columns
from prfpipe.artifacts.summary import Kept, NotKept, summary_markdown, verdict_table
from prfpipe.models import Reason
from tests.support import records

FEW = {"incremental-1000": 7.4, "full-10": 1.0}


def images(page: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall(r"\(data:image/svg\+xml;base64,([^)]+)\)", page)]


def test_the_summary_has_verdict_table_plot_and_flamegraphs() -> None:
    evidence = records.evidence(speedups=FEW)
    page = summary_markdown(evidence)
    assert "## Verdict: adopt" in page
    assert "| incremental-1000 ★ |" in page
    assert len(images(page)) == 4
    assert evidence.flamegraphs["diff"] in images(page)
    assert "<svg" not in page


def test_plots_in_the_summary_stay_light_since_its_page_may_not_follow_the_system() -> None:
    assert not any(b"prefers-color-scheme" in svg for svg in images(summary_markdown(records.evidence(speedups=FEW))))


def test_what_does_not_fit_is_named_instead() -> None:
    huge = {"baseline": records.flamegraph() + b" " * 400_000}
    page = summary_markdown(records.evidence(speedups=FEW, flamegraphs=huge), max_bytes=200_000)
    assert len(page.encode()) < 200_000
    assert "Too large for this page: see art-02-profile/baseline/cpu.svg" in page
    assert len(images(page)) == 1


URL = "https://s3.example/evidence/report.html?X-Amz-Expires=604800&X-Amz-Signature=ab12"
KEPT = Kept("s3://bucket/evidence/v1/lev-01/run", URL, URL.replace("report.html", "statement.dsse.json"), "ab" * 32)


def test_the_summary_links_to_report_and_bundle_as_long_as_the_links_are_good() -> None:
    page = summary_markdown(records.evidence(speedups=FEW), replace(KEPT, until="2026-11-30 08:15 UTC"))
    assert f"[Full report]({URL})" in page
    assert f"[its statement]({KEPT.statement})" in page
    assert f"`{KEPT.bundle}`" in page
    assert "good until 2026-11-30 08:15 UTC" in page
    assert page.index("## Verdict") < page.index("[Full report]") < page.index("## Before and after")


def test_paths_are_named_and_not_linked() -> None:
    page = summary_markdown(records.evidence(speedups=FEW), replace(KEPT, report="/evidence/report.html"))
    assert "Full report: `/evidence/report.html`" in page
    assert "](/evidence" not in page


def test_a_bundle_that_is_not_archived_says_why_what_to_do_and_where_it_is() -> None:
    page = summary_markdown(
        records.evidence(speedups=FEW), NotKept("the <b>store</b> says no", "Ask for the right to write.", "/runs/`x`")
    )
    assert "**Not archived**: the &lt;b&gt;store&lt;/b&gt; says no" in page
    assert "Ask for the right to write." in page
    assert "stays on the worker: `/runs/�x�`" in page
    assert "## Verdict: adopt" in page
    assert len(images(page)) == 4


def test_a_summary_of_a_run_that_compared_nothing_has_no_plot() -> None:
    evidence = records.evidence(speedups=FEW)
    empty = records.evidence(
        speedups=FEW, verdict=evidence.verdict.model_copy(update={"scenarios": ()}), flamegraphs={}
    )
    assert images(summary_markdown(empty)) == []


def test_the_terminal_shows_speed_up_interval_range_and_claim() -> None:
    evidence = records.evidence(speedups=FEW)
    lines = verdict_table(evidence.verdict, evidence.plan.lever.expected_speedup).splitlines()
    assert lines[0] == "LEV-01  ADOPT  claim met"
    row = next(line for line in lines if line.startswith("incremental-1000 *"))
    assert re.search(r"ms +7\.\d+× \[7\.\d+, 7\.\d+\] +5–10× +met$", row)
    assert next(line for line in lines if line.startswith("full-10")).endswith("(below)")
    assert all(reason.message in "\n".join(lines) for reason in evidence.verdict.reasons)


def test_an_adoption_names_the_scenarios_that_it_slows_down() -> None:
    evidence = records.evidence(speedups={"incremental-1000": 7.4, "full-10": 0.7})
    headline = verdict_table(evidence.verdict).splitlines()[1]
    assert re.search(r"; slower in full-10 \(0\.7\d*×\)\.$", headline)
    assert "slower in" not in verdict_table(records.evidence(speedups={"incremental-1000": 7.4}).verdict)


def test_the_columns_of_the_terminal_table_align() -> None:
    evidence = records.evidence()
    lines = verdict_table(evidence.verdict, (5.0, 10.0)).splitlines()
    table = [line for line in lines if "5–10×" in line or line.startswith("scenario")]
    assert len(table) == 13
    assert len({columns(line) for line in table}) == 1


def test_without_a_range_the_terminal_says_nothing_about_it() -> None:
    assert "expected" not in verdict_table(records.evidence(speedups=FEW).verdict)


def test_a_run_that_compared_nothing_says_so_with_its_reason() -> None:
    plan = records.plan()
    reasons = (Reason(code="edge-case", message="edge case mtime restored differs"),)
    verdict = records.verdict(plan, records.samples({}), "reject", "undecided", scenarios=(), reasons=reasons)
    text = verdict_table(verdict, (5.0, 10.0))
    assert "No scenario was compared." in text
    assert "edge case mtime restored differs (edge-case)" in text


def test_a_hostile_scenario_name_cannot_drive_the_terminal_or_the_page() -> None:
    evidence = records.evidence(speedups={records.HOSTILE: 2.0})
    text = verdict_table(evidence.verdict, (5.0, 10.0))
    assert not set(text) & {"\x1b", "\x07", "\x00", "\r", "\u202e"}
    assert sum("5–10×" in line for line in text.splitlines()) == 1
    page = summary_markdown(evidence)
    assert "<script" not in page
    assert "\n# heading" not in page
