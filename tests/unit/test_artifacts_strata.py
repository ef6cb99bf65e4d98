"""Strata where people and programs look: ART-03, the report, the orchestrator's page, the terminal, JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from prfpipe import layout
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.art03 import comparison
from prfpipe.artifacts.evidence import Evidence
from prfpipe.artifacts.report import report
from prfpipe.artifacts.summary import summary_markdown, verdict_table
from prfpipe.cli.evaluate import document
from prfpipe.loop import Outcome
from prfpipe.models import LeverSpec
from tests.support import records

FEW = {"incremental-1000": 7.4, "full-10": 1.0, "full-100": 0.7, "one-10": 6.2}
STRATA = ("full-10", "full-100")


def stratified(**changes: Any) -> LeverSpec:
    return records.lever(FEW, must_hold=STRATA, non_inferiority_percent=5.0, **changes)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return records.evidence("reject", "met", FEW, plan=records.plan(stratified()))


@pytest.fixture(scope="module")
def html(evidence: Evidence) -> str:
    return report(evidence).decode()


def table_row(text: str, *cells: str) -> re.Match[str] | None:
    return re.search(r"\| *" + r" *\| *".join(cells) + r" *\|", text)


def test_the_records_hold_one_stratum_that_holds_and_one_that_does_not(evidence: Evidence) -> None:
    assert [(item.scenario, item.state) for item in evidence.verdict.strata] == [
        ("full-10", "holds"),
        ("full-100", "violated"),
    ]


def test_art03_tells_strata_in_json_and_in_a_table_and_marks_them(evidence: Evidence) -> None:
    files = comparison(evidence.plan, evidence.verdict)
    told = json.loads(files[layout.COMPARISON])["strata"]
    assert [set(item) for item in told] == [{"scenario", "state", "margin_percent", "worst_percent"}] * 2
    page = files[layout.COMPARISON_TEXT].decode()
    assert table_row(page, "full-10", "holds", "5 %", r"\+[0-4]\.\d %")
    assert table_row(page, "full-100", "violated", "5 %", r"\+4\d\.\d %")
    assert "| incremental-1000 ★ |" in page
    assert "| full-10 ◆ |" in page
    assert "| one-10 |" in page


def test_the_report_shows_strata_beside_the_guards_and_marks_them(html: str) -> None:
    text = re.sub(r"<[^>]+>|\s+", " ", html)
    strata = text.index("Strata ◆")
    assert text.index("A guard looks at the primary scenario.") < strata
    table = re.sub(" +", " ", text[strata : strata + 600])
    assert "full-10 ✓ holds 5 % +" in table
    assert "full-100 ✕ violated 5 % +" in table
    assert "full-100&nbsp;◆" in html
    assert "full-10, full-100: each may be slower by 5 %" in text
    assert "on the primary scenario and on each stratum" in text


def test_the_orchestrators_page_has_the_strata(evidence: Evidence) -> None:
    page = summary_markdown(evidence, max_bytes=1)
    assert table_row(page, "full-100", "violated", "5 %", r"\+4\d\.\d %")
    assert "| full-100 ◆ |" in page


def test_the_terminal_says_of_each_scenario_whether_it_holds(evidence: Evidence) -> None:
    lines = verdict_table(evidence.verdict, (5.0, 10.0)).splitlines()
    ends = {line.split()[0]: line.split()[-1] for line in lines if "5–10×" in line}
    assert ends == {"incremental-1000": "–", "full-10": "holds", "full-100": "violated", "one-10": "–"}
    assert any(line.endswith("must hold") for line in lines)


def test_an_adoption_counts_the_strata_that_hold() -> None:
    plan = records.plan(records.lever(FEW, must_hold=("full-10",), non_inferiority_percent=5.0))
    adopted = records.evidence("adopt", "met", FEW, plan=plan)
    assert "; 4 of 4 guards hold; 1 of 1 strata hold; slower in full-100" in verdict_table(adopted.verdict)


def test_the_json_document_has_the_strata_and_says_which_scenarios_must_hold(evidence: Evidence) -> None:
    told = document(Outcome(evidence.plan, evidence.verdict, "file:///bundle", Path("report.html"), 1.0))
    assert [item["state"] for item in told["strata"]] == ["holds", "violated"]
    assert {name for name, item in told["scenarios"].items() if item["must_hold"]} == set(STRATA)


def test_a_stratum_that_was_not_measured_has_a_dash_for_its_worst_case() -> None:
    plan = records.plan(stratified())
    measured = records.samples({"incremental-1000": 7.4})
    page = comparison(plan, records.verdict(plan, measured))[layout.COMPARISON_TEXT].decode()
    assert table_row(page, "full-10", "undecided", "5 %", "–")


def test_a_lever_without_strata_reads_as_before() -> None:
    plain = records.evidence(speedups=FEW)
    files = comparison(plain.plan, plain.verdict)
    shown = [*(data.decode() for data in files.values()), report(plain).decode(), verdict_table(plain.verdict)]
    assert not any(word in text for text in shown for word in ("strat", "Strat", "◆", "must_hold", "must hold"))


def test_a_hostile_name_of_a_stratum_cannot_drive_page_or_terminal() -> None:
    spec = records.lever({records.HOSTILE: 2.0}, must_hold="all")
    hostile = records.evidence(speedups={records.HOSTILE: 2.0}, plan=records.plan(spec))
    assert "<script>alert" not in report(hostile).decode()
    assert "<script" not in summary_markdown(hostile, max_bytes=1)
    assert not set(verdict_table(hostile.verdict)) & {"\x1b", "\x07", "\x00"}


@pytest.mark.parametrize(
    ("worst", "shown"), [(5.04, "+5.04 %"), (5.0, "+5.0 %"), (4.96, "+5.0 %"), (-85.1, "−85.1 %"), (None, "–")]
)
def test_a_worst_case_stays_on_its_side_of_the_limit(worst: float | None, shown: str) -> None:
    assert fmt.show_worst(worst, 5.0) == shown
