"""ART-01, ART-03, ART-04 and ART-05: each holds all that the doctrine lists, and says what it does not have."""

import json
from typing import Any

import pytest

from prfpipe import layout
from prfpipe.artifacts.art01 import baseline_report
from prfpipe.artifacts.art03 import comparison
from prfpipe.artifacts.art04 import proof_notes
from prfpipe.artifacts.art05 import NOT_INSTRUMENTED, tail_notes
from prfpipe.models import BaselineResult, Estimate, LockstepResult, MutantResult, Plan, SampleSet, Verdict
from tests.support import records

FEW = {"incremental-1000": 7.4, "full-10": 1.0}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return records.plan(records.lever(FEW))


@pytest.fixture(scope="module")
def samples() -> SampleSet:
    return records.samples(FEW)


@pytest.fixture(scope="module")
def baseline(plan: Plan) -> tuple[BaselineResult, ...]:
    return records.baseline_results(plan, records.samples(FEW, arms=("baseline", "control")))


@pytest.fixture(scope="module")
def verdict(plan: Plan, samples: SampleSet) -> Verdict:
    return records.verdict(plan, samples)


def document(files: dict[str, bytes], name: str) -> Any:
    return json.loads(files[name])


# ---- ART-01 ---------------------------------------------------------------------------------------------


def test_art01_holds_what_the_doctrine_lists(
    plan: Plan, baseline: tuple[BaselineResult, ...], samples: SampleSet
) -> None:
    files = baseline_report(plan, baseline, samples)
    report = document(files, layout.BASELINE_REPORT)
    assert report["host"]["cpu_model"] == plan.host.cpu_model
    assert report["command"] == list(plan.provenance.command)
    assert (report["timestamp"], report["git_commit"]) == (plan.provenance.created_at, plan.provenance.git_commit)
    arm = report["scenarios"][0]["arms"]["baseline"]
    assert {"p50_ns", "p95_ns", "p99_ns", "throughput", "peak_rss_kib", "cold_start_ns"} <= set(arm)
    page = files[layout.BASELINE_TEXT].decode()
    for text in ("p50 latency", "throughput", "peak RSS", "cold start", "A/A ratio", "prfpipe evaluate LEV-01"):
        assert text in page


def test_art01_names_the_highest_quantile_that_few_samples_certify(plan: Plan) -> None:
    few = records.samples(FEW, invocations=2, operations=20, arms=("baseline", "control"))
    files = baseline_report(plan, records.baseline_results(plan, few), few)
    assert "needs 299 samples; with n=40 the highest is p92 ≤" in files[layout.BASELINE_TEXT].decode()


def test_art01_lists_invocations_that_do_not_count_and_why(
    plan: Plan, baseline: tuple[BaselineResult, ...], samples: SampleSet
) -> None:
    first = samples.invocations[0].model_copy(update={"excluded": "interrupted"})
    flagged = SampleSet(schedules=samples.schedules, invocations=(first, *samples.invocations[1:]))
    files = baseline_report(plan, baseline, flagged)
    assert document(files, layout.BASELINE_REPORT)["scenarios"][0]["excluded"] == [
        {"invocation": 0, "reason": "interrupted"}
    ]
    assert "interrupted" in files[layout.BASELINE_TEXT].decode()


# ---- ART-03 ---------------------------------------------------------------------------------------------


def test_art03_puts_both_variants_side_by_side(plan: Plan, verdict: Verdict) -> None:
    report = document(comparison(plan, verdict), layout.COMPARISON)
    metrics = report["scenarios"][0]["metrics"]
    assert set(metrics) == {"p50_ns", "p95_ns", "p99_ns", "throughput", "peak_rss_kib", "cold_start_ns"}
    for metric in metrics.values():
        assert set(metric) == {"baseline", "candidate", "gain", "improvement_percent"}
    p50 = metrics["p50_ns"]
    assert p50["improvement_percent"]["low"] <= p50["improvement_percent"]["estimate"]
    assert p50["improvement_percent"]["estimate"] == pytest.approx(100 * (1 - 1 / p50["gain"]["estimate"]))


def test_art03_begins_with_the_verdict_and_its_reasons(plan: Plan, verdict: Verdict) -> None:
    page = comparison(plan, verdict)[layout.COMPARISON_TEXT].decode()
    assert page.index("## Verdict: adopt") < page.index("Claim **met**") < page.index("| scenario |")
    for reason in verdict.reasons:
        assert reason.code in page


def test_art03_says_so_when_nothing_was_compared(plan: Plan, verdict: Verdict) -> None:
    empty = verdict.model_copy(update={"scenarios": (), "guards": ()})
    page = comparison(plan, empty)[layout.COMPARISON_TEXT].decode()
    assert "No scenario was compared." in page
    assert "no speed-up was measured against the expected 5–10×" in page


# ---- ART-04 ---------------------------------------------------------------------------------------------


def test_art04_holds_conformance_lockstep_coverage_and_self_test(plan: Plan) -> None:
    page = proof_notes(plan, records.proof("prove"), records.proof("verify"))[layout.PROOF_TEXT].decode()
    for text in (
        "Before implementing", "After, on the measured tree", "2,400", "140 of 142 (98.6 %)",
        "47 of 48 (97.9 %)", "off by one", "is the tree that was proven",
    ):  # fmt: skip
        assert text in page


def test_art04_names_the_case_that_failed(plan: Plan) -> None:
    bad = records.proof("prove", edge_cases=(records.case("touch only", passed=False, detail="3 != 4"),))
    page = proof_notes(plan, bad, None)[layout.PROOF_TEXT].decode()
    assert "FAILED" in page
    assert "**touch only**: 3 != 4" in page
    assert "ended before the verify stage" in page


def test_art04_shows_each_mutant_with_its_case_and_what_showed(plan: Plan) -> None:
    survivor = MutantResult(mutant="stale", caught_by="touch | only", caught=False, detail="every result is right")
    shown = records.proof("prove", mutants=(*records.proof("prove").mutants, survivor))
    page = proof_notes(plan, shown, records.proof("verify"))[layout.PROOF_TEXT].decode()
    assert "| trusts\\_mtime | mtime restored | caught | operation 1: first" in page
    assert "| stale | touch \\| only | SURVIVED | every result is right |" in page
    assert page.count("### Mutants") == 2


def test_art04_says_that_a_lever_declares_no_mutant(plan: Plan) -> None:
    page = proof_notes(plan, records.proof("prove", mutants=()), None)[layout.PROOF_TEXT].decode()
    assert "declares none, so nothing shows" in page


def test_art04_does_not_flood_the_page_with_differences(plan: Plan) -> None:
    cases = tuple(records.case(f"operation {index}", passed=False, detail="differs") for index in range(500))
    lockstep = (LockstepResult(scenario="a", seed=1, operations=500, differences=cases),)
    page = proof_notes(plan, records.proof("prove", lockstep=lockstep), None)[layout.PROOF_TEXT].decode()
    assert "and 450 more" in page


def test_art04_says_when_another_tree_was_measured(plan: Plan) -> None:
    other = records.proof("verify", tree_digest="0" * 64)
    assert b"IS NOT the tree" in proof_notes(plan, records.proof("prove"), other)[layout.PROOF_TEXT]


def test_art04_says_why_there_is_no_coverage(plan: Plan) -> None:
    blind = records.proof("prove", coverage=None, coverage_reason="the candidate is a command")
    assert b"the candidate is a command" in proof_notes(plan, blind, None)[layout.PROOF_TEXT]


# ---- ART-05 ---------------------------------------------------------------------------------------------


def test_art05_has_overhead_against_the_baseline_and_no_justification_where_none_applies(
    plan: Plan, verdict: Verdict
) -> None:
    tail = document(tail_notes(plan, verdict), layout.TAIL)
    assert tail["justification"] is None
    assert tail["justification_note"].startswith(NOT_INSTRUMENTED)
    assert tail["scenarios"][0]["p50_overhead_percent"]["estimate"] < -80


def test_art05_lists_scenarios_over_the_budget_and_carries_the_justification(plan: Plan, verdict: Verdict) -> None:
    slow = verdict.scenarios[0].model_copy(update={"speedup": Estimate(estimate=0.9, low=0.89, high=0.91)})
    over = verdict.model_copy(update={"scenarios": (slow, *verdict.scenarios[1:])})
    tail = document(tail_notes(plan, over, justification="signing is worth it"), layout.TAIL)
    assert "incremental-1000" in tail["over_budget"]
    assert tail["justification"] == "signing is worth it"


# ---- all ------------------------------------------------------------------------------------------------


def test_hostile_names_stay_names_in_every_markdown_artifact() -> None:
    bad = {records.HOSTILE: 2.0}
    spec = records.lever(bad, title=records.HOSTILE)
    plan = records.plan(spec, host=records.host(name=records.HOSTILE), provenance=records.provenance(
        command=("prfpipe", records.HOSTILE)))  # fmt: skip
    samples = records.samples(bad)
    verdict = records.verdict(plan, samples)
    proof = records.proof("prove", edge_cases=(records.case(records.HOSTILE, passed=False, detail=records.HOSTILE),))
    pages = {
        **baseline_report(plan, records.baseline_results(plan, samples), samples),
        **comparison(plan, verdict),
        **proof_notes(plan, proof, proof),
        **tail_notes(plan, verdict),
    }
    for name, data in pages.items():
        outside_code = data.decode().split("```")[0::2]
        if name.endswith(".md"):
            assert not any("<script" in part or "\n# heading" in part for part in outside_code), name
            assert not set(data) & {0x00, 0x07, 0x1B}, name


def test_the_same_records_give_the_same_bytes(plan: Plan, verdict: Verdict) -> None:
    assert comparison(plan, verdict) == comparison(plan, verdict)
    assert tail_notes(plan, verdict) == tail_notes(plan, verdict)
