"""The audit accepts a bundle as it was sealed and refuses every other: each way to be wrong is a test."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prfpipe import audit as auditing
from prfpipe import layout
from prfpipe.audit import AuditReport
from prfpipe.bundle import read_tree
from prfpipe.digests import sha256_tree
from prfpipe.doctrine import Stage
from prfpipe.errors import InputError, TamperError
from prfpipe.models import CommandVariant, LeverMutant, ProfileRecord, PythonVariant, Variants
from prfpipe.stats import critical_counts
from tests.support import bundles, findings, records

Files = dict[str, bytes]


def audit(folder: Path) -> AuditReport:
    return auditing.audit(folder, bundles.TRUST)


def audit_files(files: Files) -> AuditReport:
    return auditing.audit_files(files, bundles.TRUST)


ROOT = Path(__file__).parents[2]
SAMPLES = layout.SAMPLES[Stage.REPROFILE]


@pytest.fixture(scope="module")
def parts() -> bundles.Parts:
    return bundles.Parts.of(bundles.plan())


@pytest.fixture(scope="module")
def sealed(parts: bundles.Parts, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return read_tree(bundles.build(tmp_path_factory.mktemp("runs"), parts))


@pytest.fixture
def folder(sealed: Files, tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    for name, data in sealed.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def failing(report: AuditReport) -> set[str]:
    assert not report.accepted
    return {check.id for check in report.checks if check.result == "fails"}


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new, 1)


def test_a_sealed_bundle_is_accepted_with_every_check(folder: Path) -> None:
    report = audit(folder)
    assert report.accepted, report.checks
    assert {check.result for check in report.checks} == {"holds"}
    assert (report.run_id, report.lever, report.verdict, report.claim) == (
        bundles.RUN_ID,
        "LEV-01",
        "adopt",
        "met",
    )
    report.require()


def test_a_bundle_may_lie_under_any_folder_name(folder: Path) -> None:
    assert audit(folder.rename(folder.with_name("copy of a bundle"))).accepted


def test_no_folder_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        audit(tmp_path / "nothing")


def test_an_empty_folder_is_no_bundle(tmp_path: Path) -> None:
    assert "statement" in failing(audit(tmp_path))


# ---- bytes changed after sealing ------------------------------------------------------------------------


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "one bit flipped": flipped,
    "first byte flipped": lambda data: bytes([data[0] ^ 0x80]) + data[1:],
    "cut by one byte": lambda data: data[:-1],
    "cut in half": lambda data: data[: len(data) // 2],
    "extended": lambda data: data + b"\n",
    "emptied": lambda data: b"",
    "prefixed": lambda data: b" " + data,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_file_changed_in_any_way_is_refused(sealed: Files, change: Callable[[bytes], bytes]) -> None:
    accepted = [name for name, data in sealed.items() if audit_files({**sealed, name: change(data)}).accepted]
    assert accepted == []


def test_every_single_byte_of_the_statement_counts(sealed: Files) -> None:
    data = sealed[layout.STATEMENT]
    # What precedes the payload and follows it whole, every 23rd byte of the payload itself.
    places = [*range(20), *range(20, len(data) - 80, 23), *range(len(data) - 80, len(data))]
    accepted = [
        place
        for place in places
        if audit_files(
            {**sealed, layout.STATEMENT: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]}
        ).accepted
    ]
    assert accepted == []


def test_any_file_missing_is_refused_by_name(sealed: Files) -> None:
    for name in sealed.keys() - {layout.STATEMENT}:
        report = audit_files({key: data for key, data in sealed.items() if key != name})
        assert name in next(check.detail for check in report.checks if check.id == "files")
        assert "files" in failing(report)


def test_a_missing_statement_is_refused(sealed: Files) -> None:
    assert "statement" in failing(audit_files({name: sealed[name] for name in sealed if name != layout.STATEMENT}))


def test_any_file_renamed_is_refused(sealed: Files) -> None:
    for name in sealed:
        files = {("x" + key if key == name else key): data for key, data in sealed.items()}
        assert not audit_files(files).accepted


def test_two_files_swapped_are_refused(sealed: Files) -> None:
    first, second = layout.profile_file("baseline", "cpu.svg"), layout.profile_file("candidate", "cpu.svg")
    assert "digests" in failing(audit_files({**sealed, first: sealed[second], second: sealed[first]}))


def test_an_added_file_is_refused_by_name(folder: Path) -> None:
    (folder / "implement" / "notes.txt").write_text("trust me")
    report = audit(folder)
    assert failing(report) == {"files"}
    with pytest.raises(TamperError, match=r"implement/notes\.txt"):
        report.require()


@pytest.mark.parametrize("name", [".hidden", "art-05-tail/.tmp-0", "a b", "-rf", "é.json"])
def test_a_file_with_an_unsafe_name_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    assert failing(audit(folder)) == {"readable"}


def test_a_symbolic_link_in_place_of_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / layout.PLAN).rename(tmp_path / "plan.json")
    (folder / layout.PLAN).symlink_to(tmp_path / "plan.json")
    assert failing(audit(folder)) == {"readable"}


def test_a_symbolic_link_in_place_of_a_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "implement").rename(tmp_path / "elsewhere")
    (folder / "implement").symlink_to(tmp_path / "elsewhere")
    assert failing(audit(folder)) == {"readable"}


def test_a_hard_link_is_refused(folder: Path, tmp_path: Path) -> None:
    os.link(folder / layout.PLAN, tmp_path / "another-name")
    assert failing(audit(folder)) == {"readable"}


def test_a_pipe_is_refused_without_waiting_for_it(folder: Path) -> None:
    (folder / layout.VERDICT).unlink()
    os.mkfifo(folder / layout.VERDICT)
    assert failing(audit(folder)) == {"readable"}


def test_an_empty_folder_inside_is_refused(folder: Path) -> None:
    (folder / "implement" / "empty").mkdir()
    assert failing(audit(folder)) == {"readable"}


# ---- changed and sealed again ---------------------------------------------------------------------------


def test_the_statement_of_another_bundle_is_refused(sealed: Files, parts: bundles.Parts, tmp_path: Path) -> None:
    other_plan = bundles.plan(run_id="20261123T081600Z-lev-01-aaaaaaaa", seed=parts.plan.seed + 1)
    other = read_tree(bundles.build(tmp_path, bundles.Parts.of(other_plan)))
    assert "digests" in failing(audit_files({**sealed, layout.STATEMENT: other[layout.STATEMENT]}))


def test_any_changed_file_is_refused_although_sealed_again(sealed: Files) -> None:
    for name in sealed.keys() - {layout.STATEMENT, layout.PLAN, layout.VERDICT, layout.RUNLOG}:
        report = audit_files(bundles.resealed({**sealed, name: flipped(sealed[name])}))
        assert "journal" in failing(report), name


def under_next_index(line: bytes) -> bytes:
    return re.sub(rb'"index":(\d+)', lambda found: b'"index":%d' % (int(found[1]) + 1), line, count=1)


SAMPLE_EDITS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "the last invocation dropped": lambda lines: lines[:-1],
    "one dropped in the middle": lambda lines: lines[:4] + lines[5:],
    "the primary scenario cut short": lambda lines: lines[:6] + lines[12:],
    "two reordered": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "one repeated": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "one repeated under the next index": lambda lines: [*lines, under_next_index(lines[-1])],
    "a scenario left out": lambda lines: [line for line in lines if b"tenth-100" not in line],
    "a schedule left out": lambda lines: lines[1:],
    "an invocation of another seed": lambda lines: [
        *lines[:-1],
        replaced(lines[-1], b'"seed":', b'"seed":1'),
    ],
    "measured before the plan": lambda lines: (
        [replaced(lines[0], b"{", b"{")]
        + [line.replace(b'"started_at":"2026', b'"started_at":"2025') for line in lines[1:]]
    ),
    "everything excluded": lambda lines: [line.replace(b'"excluded":null', b'"excluded":"noisy"') for line in lines],
    "slow candidates excluded": lambda lines: [
        line.replace(b'"excluded":null', b'"excluded":"noisy"') if b'"index":0' in line else line for line in lines
    ],
    "a faster clock for the candidate": lambda lines: [
        line.replace(b'"candidate":{"cold_start_ns":', b'"candidate":{"cold_start_ns":1') for line in lines
    ],
    "not a record": lambda lines: [*lines, b"{}"],
    "not canonical": lambda lines: [*lines[:-1], lines[-1].replace(b",", b", ", 1)],
    "a number that is none": lambda lines: [
        *lines[:-1],
        lines[-1].replace(b'"elapsed_ns":', b'"elapsed_ns":NaN'),
    ],
    "nothing left": lambda lines: [],
}


@pytest.mark.parametrize("edit", SAMPLE_EDITS.values(), ids=SAMPLE_EDITS.keys())
def test_edited_samples_are_refused_although_journal_and_statement_are_made_again(
    sealed: Files, edit: Callable[[list[bytes]], list[bytes]]
) -> None:
    report = audit_files(bundles.rechained(bundles.edited_samples(sealed, edit)))
    assert failing(report) & {"reprofile", "verdict"}


@pytest.mark.parametrize("stage", [Stage.BASELINE, Stage.REPROFILE])
@pytest.mark.parametrize("scenario", [records.PRIMARY, "tenth-100"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_scenario_that_ends_where_it_suits_is_refused_in_either_stage(
    parts: bundles.Parts, tmp_path: Path, stage: Stage, scenario: str, change: int
) -> None:
    told = parts.baseline if stage is Stage.BASELINE else parts.reprofile
    of_it = [item for item in told if item.scenario == scenario]
    arms = of_it[0].order
    other = of_it[:-1] if change < 0 else [*of_it, bundles.invocation(parts.plan, stage, scenario, len(of_it), arms)]
    rest = [item for item in told if item.scenario != scenario]
    field = "baseline" if stage is Stage.BASELINE else "reprofile"
    report = audit(bundles.build(tmp_path, replace(parts, **{field: (*other, *rest)})))
    [detail] = [check.detail for check in report.checks if check.id == field]
    assert f"'{scenario}' {'ends before' if change < 0 else 'goes on after'} the plan's rule" in detail


def test_more_samples_than_any_run_has_are_refused_before_anything_is_made_of_them(
    sealed: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact statistics of some thousand invocations take gigabytes: no stranger's bundle may ask for that."""

    def many(lines: list[bytes]) -> list[bytes]:
        more = list(lines)
        while len(more) < 10_000:
            later = re.sub(rb'"elapsed_ns":(\d+)', lambda found: b'"elapsed_ns":%d' % (int(found[1]) + 1), more[-1])
            more.append(under_next_index(later))
        return more

    counted: list[int] = []

    def count(looks: Sequence[int], *rest: Any) -> tuple[int, ...]:
        counted.extend(looks)
        return critical_counts(looks, *rest)

    monkeypatch.setattr("prfpipe.stats.critical_counts", count)
    report = audit_files(bundles.rechained(bundles.edited_samples(sealed, many)))
    [detail] = [check.detail for check in report.checks if check.id == "reprofile"]
    assert "at most 150 are looked at" in detail
    assert max(counted, default=0) <= 150


def test_journal_and_statement_made_again_over_the_same_files_change_nothing(sealed: Files) -> None:
    assert audit_files(bundles.rechained(bundles.edited_samples(sealed, list))).accepted


RECORD_EDITS: dict[str, tuple[str, bytes, bytes, str]] = {
    "threshold of the rule": (layout.PLAN, b'"alpha": 0.05', b'"alpha": 0.2', "rule"),
    "least gain of the lever alone": (layout.PLAN, b'gain_percent": 1.0', b'gain_percent": 0.5', "plan"),
    "source digest": (layout.PLAN, b'"source_digest": "7', b'"source_digest": "8', "plan"),
    "seed": (layout.PLAN, b'"seed": 20261123', b'"seed": 20261124', "baseline"),
    "made before it was made": (layout.PLAN, b'"created_at": "2026', b'"created_at": "2027', "plan-first"),
    "verdict": (layout.VERDICT, b'"verdict": "adopt"', b'"verdict": "reject"', "verdict"),
    "claim": (layout.VERDICT, b'"claim": "met"', b'"claim": "not-met"', "verdict"),
    "a figure": (layout.VERDICT, b'"estimate": 7', b'"estimate": 9', "verdict"),
    "a reason": (layout.VERDICT, b'"code": "faster"', b'"code": "fastest"', "verdict"),
    "comparison": (layout.COMPARISON, b'"verdict": "adopt"', b'"verdict": "reject"', "art-03-05"),
    "comparison in words": (layout.COMPARISON_TEXT, b"Verdict: adopt", b"Verdict: reject", "art-03-05"),
    "tail": (layout.TAIL, b'"p99_ns"', b'"p98_ns"', "art-03-05"),
    "baseline figures": (layout.BASELINE_REPORT, b'"estimate": 1', b'"estimate": 2', "art-01"),
    "proof in words": (layout.PROOF_TEXT, b"caught", b"missed", "art-04"),
    "proof": ("art-04-proof/conformance.json", b'"passed": true', b'"passed": false', "verdict"),
    "proof of another tree": (layout.VERIFY, b'"tree_digest": "7', b'"tree_digest": "8', "verdict"),
    "measured tree": (layout.TREE, b'"digest": "7', b'"digest": "8', "tree"),
    "a change outside of the path, not told": (
        layout.TREE, b'"changed_files": [\n', b'"changed_files": [\n    "workload.py",\n', "tree"),
    "report of another verdict": (layout.REPORT, b'content="adopt"', b'content="reject"', "report"),
    "report of another run": (layout.REPORT, b"3f9c2a7b", b"3f9c2a7c", "report"),
    "event code": (layout.EVENTS, b"PRF-001", b"PRF-003", "events"),
    "event figure": (layout.EVENTS, b'"speedup":7', b'"speedup":9', "events"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "check"), RECORD_EDITS.values(), ids=RECORD_EDITS.keys())
def test_an_edited_record_is_refused_although_journal_and_statement_are_made_again(
    sealed: Files, name: str, old: bytes, new: bytes, check: str
) -> None:
    report = audit_files(bundles.rechained({**sealed, name: replaced(sealed[name], old, new)}))
    assert check in failing(report)


def test_a_stage_left_out_of_the_journal_is_refused(sealed: Files) -> None:
    lines = [line for line in sealed[layout.RUNLOG].splitlines(keepends=True) if b'"stage":"verify"' not in line]
    report = audit_files(bundles.resealed({**sealed, layout.RUNLOG: b"".join(lines)}))
    assert "journal" in failing(report)


def test_an_adopted_bundle_without_a_profile_is_refused_although_all_else_is_made_again(
    sealed: Files,
) -> None:
    gone = layout.profile_file("candidate", "cpu.svg")
    assert "INV-PRF-ARTIFACTS" in failing(audit_files(bundles.rechained(without(sealed, gone))))


def without(files: Files, *names: str) -> Files:
    return {name: data for name, data in files.items() if name not in names}


def test_a_profile_without_hotspots_lacks_a_field_of_art_02(sealed: Files) -> None:
    name = layout.profile_file("candidate", "profile.json")
    record = json.loads(sealed[name])
    record["cpu"]["hotspots"] = []
    edited = {**sealed, name: json.dumps(record, indent=2).encode()}
    assert "INV-PRF-ARTIFACTS" in failing(audit_files(bundles.rechained(edited)))


def test_broken_records_are_refused_without_a_traceback(sealed: Files) -> None:
    for name in sealed:
        for data in (b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a": 1, "a": 2}'):
            assert not audit_files({**sealed, name: data}).accepted


# ---- runs that are not adopted --------------------------------------------------------------------------


def built(parts: bundles.Parts, tmp_path: Path) -> AuditReport:
    return audit(bundles.build(tmp_path, parts))


def test_a_rejected_run_is_accepted_evidence_and_its_failed_proof_is_noted(
    parts: bundles.Parts, tmp_path: Path
) -> None:
    prove, verify = parts.proofs
    wrong = prove.model_copy(update={"edge_cases": (records.case(passed=False, detail="7 is not 8"),)})
    report = built(replace(parts, proofs=(wrong, verify)), tmp_path)
    assert (report.accepted, report.verdict) == (True, "reject")
    assert {check.id for check in report.checks if check.result == "noted"} == {"INV-PRF-COMPAT"}


def test_a_lever_in_another_language_has_no_flamegraph_and_the_audit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = CommandVariant(command=("node", "subject.mjs"))
    variants = Variants(baseline=PythonVariant(python="baseline.py"), candidate=command)
    blind = ProfileRecord(variant="candidate", operations=0, cpu=None, allocations=None, notes=("cannot see",))
    profiled = bundles.profile_files

    def profile_files(variant: str) -> Files:
        return layout.profile_files(blind) if variant == "candidate" else profiled(variant)

    monkeypatch.setattr(bundles, "profile_files", profile_files)
    lever = records.lever(bundles.SPEEDUPS, guards=(), variants=variants)
    report = built(bundles.Parts.of(bundles.plan(lever=lever)), tmp_path)
    assert report.accepted, report.checks
    noted = {check.id: check.detail for check in report.checks if check.result == "noted"}
    assert noted.keys() == {"INV-PRF-ARTIFACTS", "INV-PRF-PROFILED"}
    assert all("this lever cannot be profiled in full" in detail for detail in noted.values())
    assert "PRF-002" in next(check.detail for check in report.checks if check.id == "events")


def older(parts: bundles.Parts) -> bundles.Parts:
    tools = {**parts.plan.provenance.tools, "prfpipe": "0.0.9"}
    source = parts.plan.provenance.model_copy(update={"tools": tools})
    return replace(parts, plan=parts.plan.model_copy(update={"provenance": source}))


def with_rule(parts: bundles.Parts, **changes: object) -> bundles.Parts:
    plan = parts.plan.model_copy(update={"rule": parts.plan.rule.model_copy(update=changes)})
    return bundles.Parts.of(plan)


def test_a_rule_of_another_version_that_errs_no_more_is_noted(parts: bundles.Parts, tmp_path: Path) -> None:
    report = built(with_rule(older(parts), alpha=0.04), tmp_path)
    assert report.accepted
    assert {check.id for check in report.checks if check.result == "noted"} == {"rule"}


@pytest.mark.parametrize(
    "weaker",
    [
        {"alpha": 0.2},
        {"look_weights": (0.5, 0.5, 0.5, 0.5, 0.5)},
        {"look_weights": (3.0, -2.0, 0.0, 0.0, 0.0)},
        {"tail_confidence": 0.5},
    ],
)
def test_calling_itself_another_version_buys_no_weaker_rule(
    parts: bundles.Parts, tmp_path: Path, weaker: dict[str, object]
) -> None:
    assert "rule" in failing(built(with_rule(older(parts), **weaker), tmp_path))


def test_a_tree_that_is_not_the_planned_source_is_refused(parts: bundles.Parts, tmp_path: Path) -> None:
    files = {**parts.plan.source_files, "cache.bin": "0" * 64}
    digest = sha256_tree(files)
    other = findings.tree(files=files, digest=digest)
    proofs = tuple(proof.model_copy(update={"tree_digest": digest}) for proof in parts.proofs)
    report = built(replace(parts, proofs=proofs, tree=other), tmp_path)
    assert "tree" in failing(report)


def test_a_proof_that_leaves_out_a_planned_scenario_is_no_proof(parts: bundles.Parts, tmp_path: Path) -> None:
    proofs = tuple(
        proof.model_copy(
            update={"lockstep": tuple(item for item in proof.lockstep if item.scenario == records.PRIMARY)}
        )
        for proof in parts.proofs
    )
    report = built(replace(parts, proofs=proofs), tmp_path)
    assert "INV-PRF-COMPAT" in failing(report)


def test_a_proof_that_leaves_out_a_planned_mutant_is_no_proof(parts: bundles.Parts, tmp_path: Path) -> None:
    mutant = LeverMutant(name="stale", python="mutants/stale.py", caught_by="mtime restored")
    lever = parts.plan.lever.model_copy(update={"mutants": (mutant,)})
    plan = parts.plan.model_copy(update={"lever": lever})
    report = built(replace(parts, plan=plan), tmp_path)
    assert "INV-PRF-COMPAT" in failing(report)
    assert "did not try stale" in next(check.detail for check in report.checks if check.id == "INV-PRF-COMPAT")


def test_wording_of_another_version_is_noted(parts: bundles.Parts, tmp_path: Path) -> None:
    files = read_tree(bundles.build(tmp_path, older(parts)))
    reworded = {**files, layout.BASELINE_TEXT: replaced(files[layout.BASELINE_TEXT], b"Figures", b"Numbers")}
    report = audit_files(bundles.rechained(reworded))
    assert report.accepted
    assert {check.id for check in report.checks if check.result == "noted"} == {"art-01"}


def test_another_versions_wording_may_not_say_another_verdict(parts: bundles.Parts, tmp_path: Path) -> None:
    files = read_tree(bundles.build(tmp_path, older(parts)))
    text = replaced(files[layout.COMPARISON_TEXT], b"Verdict: adopt", b"Verdict: reject")
    assert "art-03-05" in failing(audit_files(bundles.rechained({**files, layout.COMPARISON_TEXT: text})))


def test_figures_of_another_version_must_be_the_same(parts: bundles.Parts, tmp_path: Path) -> None:
    files = read_tree(bundles.build(tmp_path, older(parts)))
    figures = replaced(files[layout.COMPARISON], b'"estimate": 7', b'"estimate": 8')
    assert "art-03-05" in failing(audit_files(bundles.rechained({**files, layout.COMPARISON: figures})))


def test_samples_of_an_interrupted_measurement_stay_in_the_bundle(
    parts: bundles.Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform = bundles.stages(parts)

    def twice(parts: bundles.Parts, _key: object) -> dict[Stage, Callable[..., None]]:
        def interrupted(folder: bundles.RunFolder) -> None:
            with bundles.SampleWriter(folder, Stage.BASELINE) as writer:
                writer.append(bundles.schedules(parts.plan)[0])
            perform[Stage.BASELINE](folder)

        return {**perform, Stage.BASELINE: interrupted}

    monkeypatch.setattr(bundles, "stages", twice)
    path = bundles.build(tmp_path, parts)
    assert (path / "art-01-baseline" / "samples-interrupted-1.jsonl.gz").is_file()
    report = audit(path)
    assert report.accepted
    told = next(check.detail for check in report.checks if check.id == "baseline")
    assert "measured anew after 1 interrupted sets" in told


# ---- the auditor's own promises -------------------------------------------------------------------------


def test_an_audit_imports_nothing_that_measures_or_talks_to_a_network() -> None:
    code = "import sys, prfpipe.audit; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
    )
    heavy = {
        "boto3",
        "prefect",
        "matplotlib",
        "memray",
        "coverage",
        "yaml",
        "jinja2",
        "ssl",
        "http.client",
    }
    assert loaded & heavy == set()
    assert loaded & {f"prfpipe.{room}" for room in ("measure", "host", "loop", "profilers", "store", "lever")} == set()


def test_the_whole_report_is_json(folder: Path) -> None:
    report = audit(folder)
    assert AuditReport.model_validate_json(report.model_dump_json()) == report
