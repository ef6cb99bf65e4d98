"""What continuous integration reads: JUnit XML, GitHub's annotations and summary; events, history and pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from prfpipe.errors import InputError
from prfpipe.gates import plots
from prfpipe.gates.events import events_for
from prfpipe.gates.findings import Findings
from prfpipe.gates.folder import write_report
from prfpipe.gates.github import annotations, command, write_summary
from prfpipe.gates.history import past_runs, series
from prfpipe.gates.junit import junit_xml
from prfpipe.gates.measurement import Moment
from prfpipe.gates.page import page
from prfpipe.gates.several import exit_code
from prfpipe.gates.summary import Failed, bars, markdown_summary, text
from prfpipe.models import GateCheck, GateReport
from tests.support.gates import check, milliseconds, report
from tests.support.plans import HOSTILE

GOOD = check(milliseconds(*[10.0] * 370), subject="good")
NEAR = check(milliseconds(*[90.0] * 370), subject="near")
OPEN = check(milliseconds(*[10.0] * 60), subject="open")
BAD = check(milliseconds(*[500.0] * 100), subject="bad").model_copy(update={"flamegraph": "flame-bad.svg"})
OUTSIDE = check(milliseconds(*[10.0] * 370), None, "outside")
ALL = report(GOOD, NEAR, OPEN, BAD, OUTSIDE)
FAILED = Failed("PRF-04", "Diff", "SubjectCrashError", "the subject died", "Look at it.")
HOSTILE_REPORT = report(BAD.model_copy(update={"subject": HOSTILE, "message": HOSTILE}), title=HOSTILE[:150])
ACTIONS = {"GITHUB_ACTIONS": "true"}


# ---- JUnit ----------------------------------------------------------------------------------------------


def _suites(*ended: GateReport | Failed) -> ElementTree.Element:
    return ElementTree.fromstring(junit_xml(ended))


def test_junit_has_a_case_for_each_subject_and_the_right_element_for_each_answer() -> None:
    cases = {case.get("name"): case for case in _suites(ALL).iter("testcase")}
    found = {name: [child.tag for child in case if child.tag != "system-out"] for name, case in cases.items()}
    assert found == {"good": [], "near": [], "open": ["error"], "bad": ["failure"], "outside": ["skipped"]}
    assert cases["open"].find("error").get("type") == "undecided"  # type: ignore[union-attr]
    assert "flame-bad.svg" in cases["bad"].findtext("system-out", "")


def test_junit_counts_add_up() -> None:
    root = _suites(ALL, FAILED)
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "1", "2", "1"]
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
    assert root.find("testsuite[2]/testcase/error").get("type") == "SubjectCrashError"  # type: ignore[union-attr]


def test_junit_keeps_to_the_schema_that_readers_share() -> None:
    """Elements, their order and their attributes as in Jenkins' junit-10.xsd, whose readers are the strictest."""
    allowed: dict[str, tuple[list[str], set[str]]] = {
        "testsuites": (["testsuite"], {"name", "time", "tests", "failures", "errors", "skipped"}),
        "testsuite": (
            ["properties", "testcase"],
            {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        ),
        "properties": (["property"], set()),
        "property": ([], {"name", "value"}),
        "testcase": (["skipped", "error", "failure", "system-out"], {"name", "classname", "time"}),
        "failure": ([], {"message", "type"}),
        "error": ([], {"message", "type"}),
        "skipped": ([], {"message"}),
        "system-out": ([], set()),
    }
    for element in _suites(ALL, FAILED, HOSTILE_REPORT).iter():
        order, attributes = allowed[element.tag]
        assert set(element.attrib) <= attributes
        places = [order.index(child.tag) for child in element]
        assert places == sorted(places)


def test_a_junit_reader_reads_every_answer_and_counts_as_we_do() -> None:
    """`junitparser` counts again what it reads: its figures must be those that stand in the file."""
    read = JUnitXml.fromstring(junit_xml([ALL, FAILED, HOSTILE_REPORT]))
    suites = list(read)
    assert [suite.name for suite in suites] == ["PRF-02 A gate of tests", "PRF-04 Diff", suites[2].name]
    kinds = [{case.name: [type(result) for result in case.result] for case in suite} for suite in suites]
    assert kinds[0] == {"good": [], "near": [], "open": [Error], "bad": [Failure], "outside": [Skipped]}
    assert kinds[1] == {"measured": [Error]}
    assert list(kinds[2].values()) == [[Failure]]
    for counted in (*suites, read):
        written = (counted.tests, counted.failures, counted.errors, counted.skipped)
        counted.update_statistics()
        assert written == (counted.tests, counted.failures, counted.errors, counted.skipped)
    assert (read.tests, read.failures, read.errors, read.skipped) == (7, 2, 2, 1)


def test_a_junit_reader_gives_back_messages_and_names_with_markup_as_text() -> None:
    read = JUnitXml.fromstring(junit_xml([FAILED, HOSTILE_REPORT]))
    (failed,), (hostile,) = list(read)
    assert (failed.result[0].type, failed.result[0].message) == ("SubjectCrashError", "the subject died Look at it.")
    assert "<script>alert(1)</script>" in hostile.name
    assert "<script>alert(1)</script>" in hostile.result[0].message
    assert all(char.isprintable() for char in hostile.name + hostile.result[0].message + hostile.system_out)


def test_junit_survives_names_that_are_as_bad_as_they_get() -> None:
    (case,) = _suites(HOSTILE_REPORT).iter("testcase")
    assert "<script>alert(1)</script>" in case.get("name", "")
    assert all(char.isprintable() for char in case.get("name", ""))


def test_junit_is_read_whatever_a_program_is_called() -> None:
    """XML has no way to write these two, not even escaped."""
    told = replace(FAILED, message="cannot start \ufffe and \uffff")
    assert "cannot start � and �" in ElementTree.tostring(_suites(told), encoding="unicode")


# ---- GitHub ---------------------------------------------------------------------------------------------


def test_a_program_of_somebody_elses_is_named_wherever_its_answer_stands() -> None:
    found = report(GOOD).model_copy(update={"program": ("node", "server.js", "--once")})
    assert "of node server.js --once: 1 within budget" in text([found])
    assert "of node server.js --once" in markdown_summary([found])
    properties = {item.get("name"): item.get("value") for item in _suites(found).iter("property")}
    assert properties["program"] == "node server.js --once"
    assert [event.figures["program"] for event in events_for(found)] == ["node server.js --once"]


def test_annotations_are_made_in_actions_only() -> None:
    assert annotations([ALL], {}, {}) == []
    assert len(annotations([ALL], {}, ACTIONS)) == 5


def test_annotations_have_the_level_of_the_answer_and_stand_at_the_budgets(tmp_path: Path) -> None:
    files = {"PRF-02": tmp_path / "gates" / "churn" / "gate.yaml"}
    lines = annotations([ALL, FAILED], files, {**ACTIONS, "GITHUB_WORKSPACE": str(tmp_path)})
    assert [line.split(" ")[0] for line in lines] == [
        "::notice", "::warning", "::error", "::error", "::notice", "::error"
    ]  # fmt: skip
    assert "file=gates/churn/gate.yaml" in lines[3]
    assert "title=PRF-02 bad%3A fail" in lines[3]
    assert "flame-bad.svg" in lines[3]
    outside = annotations(
        [ALL], {"PRF-02": Path("/elsewhere/gate.yaml")}, {**ACTIONS, "GITHUB_WORKSPACE": str(tmp_path)}
    )
    assert "file=" not in outside[0]


@pytest.mark.parametrize("evil", ["a\n::error::b", "a\r\n::set-output name=x::y", "100%0A::stop-commands::t"])
def test_a_message_cannot_start_another_command(evil: str) -> None:
    line = command("error", evil, title=evil, file="a,b:c")
    assert len(line.splitlines()) == 1
    assert line.startswith("::error file=a%2Cb%3Ac,title=")
    title = line.split("title=")[1].split("::")[0]
    assert ":" not in title
    assert "%0A::" not in line.replace("%250A", "")


def test_the_step_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    write_summary([ALL, FAILED], [], {**ACTIONS, "GITHUB_STEP_SUMMARY": str(path)})
    found = path.read_text()
    assert found.startswith("before\n")
    assert "| PRF-02 | bad | fail |" in found
    assert "NOTHING MEASURED" in found
    write_summary([ALL], [], {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text() == found


def test_a_summary_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="GITHUB_STEP_SUMMARY"):
        write_summary([ALL], [], {**ACTIONS, "GITHUB_STEP_SUMMARY": str(tmp_path)})


def test_markup_in_names_stays_text_in_markdown_and_on_the_terminal() -> None:
    assert "<script" not in markdown_summary([HOSTILE_REPORT])
    assert "\x1b" not in text([HOSTILE_REPORT])


# ---- exit codes -----------------------------------------------------------------------------------------


def _failed(code: int) -> Failed:
    return Failed("PRF-04", "Diff", "SomeError", "it failed", "Look.", code)


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ([report(GOOD)], 0),
        ([report(GOOD), report(NEAR)], 0),
        ([report(GOOD), report(OPEN)], 3),
        ([report(OPEN), report(BAD)], 1),
        ([report(BAD), _failed(2)], 2),
        ([report(BAD), _failed(2), _failed(4)], 4),
        ([], 4),
    ],
)
def test_the_exit_code_is_the_worst(ended: list[Any], code: int) -> None:
    assert exit_code(ended) == code


# ---- events, history, page ------------------------------------------------------------------------------


def test_events_of_a_cold_start_within_its_budget() -> None:
    assert [event.code for event in events_for(report(GOOD, id="PRF-01"))] == ["PRF-001", "PRF-005"]
    assert [event.code for event in events_for(report(GOOD, BAD, id="PRF-01"))] == ["PRF-004"]
    assert [event.code for event in events_for(report(OPEN, id="PRF-01"))] == []


def _found(**changes: Any) -> Findings:
    found: dict[str, Any] = {name: {} for name in ("samples", "also", "phases", "files")}
    return Findings(**{**found, "timeline": (), "tables": (), "notes": (), **changes})


def _run(number: int, *checks: GateCheck, **changes: Any) -> GateReport:
    return report(*checks, run_id=f"20261123T12000{number}Z-prf-02-0000000{number}", **changes)


def test_history_holds_finished_runs_of_the_same_profile_program_and_machine(tmp_path: Path) -> None:
    first, second, now = _run(1, GOOD), _run(2, NEAR), _run(5, GOOD)
    other = _run(3, GOOD, host=first.host.model_copy(update={"name": "bench-2"}))
    program = _run(6, GOOD, program=("node", "server.js"))
    for past in (first, second, other, now, program):
        write_report(past, _found(), tmp_path)
    write_report(_run(4, GOOD), _found(), tmp_path)
    (tmp_path / "PRF-02" / _run(4, GOOD).run_id / "digests.json").unlink()
    found = past_runs(tmp_path, now)
    assert [past.run_id for past in found] == [first.run_id, second.run_id]
    assert [point.value for point in series(found, "good")] == [10.0]
    assert past_runs(tmp_path / "nowhere", now) == ()
    assert len(past_runs(tmp_path, now, most=1)) == 1


def test_bars_go_from_the_smallest_figure_to_the_largest() -> None:
    runs = tuple(_run(number, check(milliseconds(*[value] * 370))) for number, value in enumerate((10.0, 24.0, 14.0)))
    assert bars(series(runs, "work")) == "▁█▃"
    assert len(bars(series(runs[:1] * 3, "work"))) == 3
    assert "`▁█▃`" in markdown_summary([runs[2]], runs[:2])


def test_the_page_shows_every_check_picture_and_profile() -> None:
    moments = tuple(Moment(at * 10**6, 10**6 * (1 + 700 * (at == 7)), "add", "bad") for at in range(4000))
    found = _found(timeline=moments, files={"flame-bad.svg": b"<svg/>", "flame-bad.folded": b"a 1\n"})
    phased = GOOD.model_copy(update={"phases": {"spawn": GOOD.first, "hydrate": GOOD.first}})
    shown = page(report(phased, NEAR, OPEN, BAD, OUTSIDE), found, [report(GOOD, BAD)]).decode()
    for words in ("Against the budgets", "Where the time goes: good", "Spikes over time", "Last runs", "flame-bad.svg"):
        assert words in shown
    assert "<script" not in shown
    assert "http://" not in shown.replace("http://www.w3.org", "")


def test_what_is_only_there_to_compare_with_is_no_spike() -> None:
    judged = tuple(Moment(at * 10**6, 10**6, "churn", "bad") for at in range(40))
    stall = Moment(41 * 10**6, 10**9, "static", "bad", judged=False)
    shown = page(report(BAD.model_copy(update={"flamegraph": ""})), _found(timeline=(*judged, stall)), []).decode()
    assert "Latencies over time; the highest is bad at 1 % of its budget." in shown


def test_the_page_survives_names_that_are_as_bad_as_they_get() -> None:
    files = {"flame-bad.svg": b"<svg/>"}
    shown = page(HOSTILE_REPORT, _found(files=files), []).decode()
    assert "<script>alert(1)" not in shown
    assert "\x1b" not in shown


def test_pictures_are_the_same_bytes_for_the_same_figures() -> None:
    assert plots.budget_bars(ALL.checks, 80.0) == plots.budget_bars(ALL.checks, 80.0)
    with pytest.raises(ValueError, match="has one"):
        plots.budget_bars([OUTSIDE], 80.0)
    with pytest.raises(ValueError, match="at least one run"):
        plots.sparkline([], budget=None)
