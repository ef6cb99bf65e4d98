"""PRF-001..005: which events a run emits, and where they go."""

import json
import logging
from typing import Any

import pytest

from prfpipe.events import Event, LineSink, LogSink, emit_all, events_bytes, events_for, make_event, read_events
from prfpipe.models import GuardResult, Plan, Verdict
from tests.support import bundles, records

TIME = "2026-11-23T08:20:00Z"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return bundles.plan()


def verdict(plan: Plan, **changes: Any) -> Verdict:
    samples = records.samples(bundles.SPEEDUPS, invocations=6, operations=5)
    return records.verdict(plan, samples, guards=(), **changes) if "guards" not in changes else records.verdict(
        plan, samples, **changes
    )  # fmt: skip


def guard(metric: str, state: str, worst: float | None = 1.5) -> GuardResult:
    return GuardResult.model_validate(
        {"metric": metric, "state": state, "max_regression_percent": 5.0, "worst_percent": worst}
    )


def codes(events: tuple[Event, ...]) -> list[str]:
    return [event.code for event in events]


def test_a_complete_run_is_compliant_and_profiled(plan: Plan) -> None:
    compliant, profiled = events_for(plan, verdict(plan), {}, TIME)
    assert (compliant.code, compliant.level, compliant.time) == ("PRF-001", "info", TIME)
    assert (profiled.code, profiled.figures["scenario"]) == ("PRF-003", "incremental-1000")
    assert (compliant.run_id, compliant.lever) == (plan.run_id, "LEV-01")


def test_a_rejected_run_with_all_evidence_is_compliant_too(plan: Plan) -> None:
    assert codes(events_for(plan, verdict(plan, word="reject"), {}, TIME)) == ["PRF-001", "PRF-003"]


def test_each_missing_artifact_is_an_error_that_names_its_files(plan: Plan) -> None:
    missing = {"ART-05": ("art-05-tail/tail.md",), "ART-01": ("a", "b")}
    found = events_for(plan, verdict(plan), missing, TIME)
    assert codes(found) == ["PRF-002", "PRF-002", "PRF-003"]
    assert [(event.level, event.figures) for event in found[:2]] == [
        ("error", {"artifact": "ART-01", "files": "a, b"}),
        ("error", {"artifact": "ART-05", "files": "art-05-tail/tail.md"}),
    ]


@pytest.mark.parametrize("artifact", ["ART-02", "ART-03"])
def test_without_profiles_or_comparison_a_lever_is_not_profiled(plan: Plan, artifact: str) -> None:
    assert codes(events_for(plan, verdict(plan), {artifact: ("x",)}, TIME)) == ["PRF-002"]


def test_without_a_measured_primary_scenario_a_lever_is_not_profiled(plan: Plan) -> None:
    assert codes(events_for(plan, verdict(plan, scenarios=()), {}, TIME)) == ["PRF-001"]


def test_a_violated_p99_guard_is_an_error_and_not_compliant(plan: Plan) -> None:
    found = events_for(plan, verdict(plan, guards=(guard("p99", "violated", 9.25),)), {}, TIME)
    assert codes(found) == ["PRF-003", "PRF-004"]
    assert (found[1].level, found[1].figures) == ("error", {"budget_percent": 5.0, "worst_percent": 9.25})


@pytest.mark.parametrize("state", ["holds", "undecided"])
def test_a_p99_guard_that_is_not_violated_is_no_event(plan: Plan, state: str) -> None:
    assert "PRF-004" not in codes(events_for(plan, verdict(plan, guards=(guard("p99", state),)), {}, TIME))


def test_a_p99_guard_that_stays_undecided_leaves_the_evidence_compliant(plan: Plan) -> None:
    assert codes(events_for(plan, verdict(plan, guards=(guard("p99", "undecided"),)), {}, TIME)) == [
        "PRF-001",
        "PRF-003",
    ]


def test_another_violated_guard_is_not_a_p99_event(plan: Plan) -> None:
    assert "PRF-004" not in codes(events_for(plan, verdict(plan, guards=(guard("peak_rss", "violated"),)), {}, TIME))


@pytest.mark.parametrize(("state", "met"), [("holds", True), ("violated", False), ("undecided", False)])
def test_the_cold_start_budget_is_met_only_if_its_guard_holds(plan: Plan, state: str, met: bool) -> None:
    found = codes(events_for(plan, verdict(plan, guards=(guard("cold_start", state, None),)), {}, TIME))
    assert ("PRF-005" in found) == met


def test_the_file_has_an_event_a_line_that_reads_back(plan: Plan) -> None:
    events = events_for(plan, verdict(plan), {}, TIME)
    lines = events_bytes(events).splitlines()
    assert tuple(Event.model_validate_json(line) for line in lines) == events


def test_the_log_gets_level_text_and_the_structured_event(plan: Plan, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "prfpipe.events")
    events = events_for(plan, verdict(plan, guards=(guard("p99", "violated"),)), {}, TIME)
    emit_all(events, LogSink(), LineSink())
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR"]
    assert "PRF-004 LEV-01: p99 budget exceeded" in caplog.messages[1]
    assert json.loads(json.dumps(vars(caplog.records[1])["prf_event"]))["code"] == "PRF-004"


def test_an_event_outside_of_a_run_has_no_run_and_no_lever_in_its_bytes() -> None:
    event = make_event("PRF-004", {"subsystem": "dispatch", "budget_ms": 10.0}, time=TIME, detail=": dispatch")
    [line] = events_bytes([event]).splitlines()
    assert json.loads(line).keys() == {"code", "level", "message", "time", "figures"}
    assert (event.level, event.message) == ("error", "p99 budget exceeded for subsystem: dispatch")
    assert read_events(line) == (event,)


def test_the_log_says_project_where_an_event_is_about_no_lever(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "prfpipe.events")
    emit_all([make_event("PRF-001", {}, time=TIME), make_event("PRF-002", {}, time=TIME, lever="LEV-03")], LogSink())
    assert [message.split(":")[0] for message in caplog.messages] == ["PRF-001 project", "PRF-002 LEV-03"]
