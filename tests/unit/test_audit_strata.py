"""The audit holds strata to the plan as it does the primary scenario: each way to be wrong is a test."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.audit import AuditReport, audit, audit_files
from prfpipe.bundle import read_tree
from prfpipe.doctrine import Stage
from prfpipe.models import Arm, Invocation
from tests.support import bundles, records

STRATUM = "tenth-100"


def failing(report: AuditReport) -> set[str]:
    assert not report.accepted
    return {check.id for check in report.checks if check.result == "fails"}


def built(parts: bundles.Parts, tmp_path: Path) -> AuditReport:
    return audit(bundles.build(tmp_path, parts))


@pytest.fixture(scope="module")
def stratified() -> bundles.Parts:
    lever = records.lever(bundles.SPEEDUPS, guards=(), must_hold="all", non_inferiority_percent=2.0)
    return bundles.Parts.of(bundles.plan(lever=lever))


def of_stratum(parts: bundles.Parts) -> list[Invocation]:
    return [item for item in parts.reprofile if item.scenario == STRATUM]


def test_a_bundle_with_strata_is_accepted_and_its_verdict_records_them(
    stratified: bundles.Parts, tmp_path: Path
) -> None:
    path = bundles.build(tmp_path, stratified)
    report = audit(path)
    assert (report.accepted, report.verdict) == (True, "adopt"), report.checks
    verdict = json.loads((path / layout.VERDICT).read_text())
    assert [(item["scenario"], item["state"], item["margin_percent"]) for item in verdict["strata"]] == [
        (records.PRIMARY, "holds", 2.0),
        (STRATUM, "holds", 2.0),
    ]
    assert len(of_stratum(stratified)) >= stratified.plan.rule.min_invocations


def refused_samples(report: AuditReport) -> str:
    assert failing(report) == {"reprofile"}
    return next(check.detail for check in report.checks if check.id == "reprofile")


def test_a_stratum_that_was_cut_short_is_refused_by_name(stratified: bundles.Parts, tmp_path: Path) -> None:
    report = built(replace(stratified, reprofile=stratified.reprofile[:-1]), tmp_path)
    assert f"'{STRATUM}' ends before the plan's rule allows it" in refused_samples(report)


def test_a_stratum_that_was_left_out_is_refused(stratified: bundles.Parts, tmp_path: Path) -> None:
    kept = tuple(item for item in stratified.reprofile if item.scenario != STRATUM)
    report = built(replace(stratified, reprofile=kept), tmp_path)
    assert f"'{STRATUM}' has no invocation that counts" in refused_samples(report)


@pytest.mark.parametrize("scenario", [records.PRIMARY, STRATUM])
def test_measuring_on_after_the_question_was_decided_is_refused(
    stratified: bundles.Parts, tmp_path: Path, scenario: str
) -> None:
    arms: tuple[Arm, ...] = ("baseline", "control", "candidate")
    done = [item for item in stratified.reprofile if item.scenario == scenario]
    more = [
        bundles.invocation(stratified.plan, Stage.REPROFILE, scenario, index, arms)
        for index in range(len(done), 2 * len(done))
    ]
    report = built(replace(stratified, reprofile=(*stratified.reprofile, *more)), tmp_path)
    assert f"'{scenario}' goes on after the plan's rule ends it" in refused_samples(report)


@pytest.mark.parametrize("changes", [{"must_hold": ()}, {"must_hold": (STRATUM,)}, {"non_inferiority_percent": 50.0}])
@pytest.mark.parametrize("version", ["this", "another"])
def test_a_rule_that_lost_a_stratum_of_its_lever_is_refused_whatever_version_it_says(
    stratified: bundles.Parts, tmp_path: Path, changes: dict[str, object], version: str
) -> None:
    tools = {**stratified.plan.provenance.tools, **({} if version == "this" else {"prfpipe": "0.0.9"})}
    weaker = {
        "rule": stratified.plan.rule.model_copy(update=changes),
        "provenance": stratified.plan.provenance.model_copy(update={"tools": tools}),
    }
    parts = bundles.Parts.of(stratified.plan.model_copy(update=weaker))
    assert "plan" in failing(built(parts, tmp_path))


def test_a_stratum_that_the_producer_called_otherwise_is_refused(stratified: bundles.Parts, tmp_path: Path) -> None:
    files = read_tree(bundles.build(tmp_path, stratified))
    edited = files[layout.VERDICT].replace(b'"state": "holds"', b'"state": "undecided"', 1)
    assert "verdict" in failing(audit_files(bundles.rechained({**files, layout.VERDICT: edited})))
