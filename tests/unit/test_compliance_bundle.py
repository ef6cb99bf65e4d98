"""`prfpipe doctrine BUNDLE`: every artifact, field, profile and proof that is missing is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prfpipe import doctrine, layout
from prfpipe.attest import read_statement
from prfpipe.bundle import read_tree
from prfpipe.digests import pretty_json, sha256_hex
from prfpipe.models import ProofRecord
from prfpipe.plan import NO_COMMIT
from prfpipe.store import open_store
from prfpipe.store.evidence import archive
from tests.support import bundles, records
from tests.support.doctrine_command import Answer, prfpipe

Files = dict[str, bytes]
ALL = ("INV-PRF-ARTIFACTS", "INV-PRF-PROFILED", "INV-PRF-COMPAT")


@pytest.fixture(scope="module")
def parts() -> bundles.Parts:
    return bundles.Parts.of(bundles.plan())


@pytest.fixture(scope="module")
def sealed(parts: bundles.Parts, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return read_tree(bundles.build(tmp_path_factory.mktemp("runs"), parts))


def written(files: Files, parent: Path) -> Path:
    folder = parent / "bundle"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def checked(files: Files, parent: Path) -> Answer:
    return prfpipe("doctrine", str(written(files, parent)), "--json")


# ---- all is there ---------------------------------------------------------------------------------------


def test_a_whole_bundle_is_compliant(sealed: Files, tmp_path: Path) -> None:
    answer = checked(sealed, tmp_path)
    assert (answer.code, answer.codes, answer.failing, answer.lacks) == (0, ["PRF-001"], set(), {})
    assert [item["id"] for item in answer.document["invariants"]] == list(ALL)
    [event] = answer.document["events"]
    assert event["figures"] == {"scope": "bundle", "target": str(tmp_path / "bundle"), "invariants": ", ".join(ALL)}
    assert event.keys() == {"code", "level", "message", "time", "figures"}


def test_text_for_people_ends_with_the_event(sealed: Files, tmp_path: Path) -> None:
    answer = prfpipe("doctrine", str(written(sealed, tmp_path)))
    assert answer.out.splitlines()[-1] == "PRF-001 info: Performance doctrine compliance verified"
    assert f"LEV-01  {bundles.RUN_ID}  adopt    met" in answer.out
    assert all(f"ok    {name}: " in answer.out for name in ALL)


def test_a_run_id_is_looked_up_in_the_store(parts: bundles.Parts, tmp_path: Path) -> None:
    folder, store = bundles.build(tmp_path, parts), str(tmp_path / "store")
    manifest = read_statement((folder / layout.STATEMENT).read_bytes()).files
    archive(open_store(store), folder, "LEV-01", bundles.RUN_ID, manifest)
    answer = prfpipe("doctrine", bundles.RUN_ID, "--store", store, "--json")
    assert (answer.code, answer.document["target"]) == (0, bundles.RUN_ID)


# ---- a field is missing ---------------------------------------------------------------------------------

Edit = Callable[[Any], None]


def gone(*keys: str) -> Edit:
    """Takes a key away; `*` stands for every entry of a list."""

    def edit(value: Any) -> None:
        if keys[0] == "*":
            for each in value:
                gone(*keys[1:])(each)
        elif len(keys) == 1:
            del value[keys[0]]
        else:
            gone(*keys[1:])(value[keys[0]])

    return edit


def put(**values: object) -> Edit:
    return lambda document: document.update(values)


def of_each(*keys: str) -> Edit:
    return gone("scenarios", "*", *keys)


def of_the_last(*keys: str) -> Edit:
    return lambda document: gone(*keys)(document["scenarios"][-1])


HOTSPOTS, MEMORY = (layout.profile_file("candidate", name) for name in ("hotspots.json", "memory.json"))
FIELDS: dict[tuple[str, str], tuple[str, Edit]] = {
    ("ART-01", "hardware and environment"): (layout.BASELINE_REPORT, gone("host", "cpu_model")),
    ("ART-01", "command to reproduce"): (layout.BASELINE_REPORT, put(command=[])),
    ("ART-01", "p50 latency"): (layout.BASELINE_REPORT, of_each("arms", "baseline", "p50_ns")),
    ("ART-01", "p95 latency"): (layout.BASELINE_REPORT, of_each("arms", "baseline", "p95_ns", "estimate")),
    ("ART-01", "p99 latency"): (layout.BASELINE_REPORT, of_each("arms", "baseline", "p99_ns")),
    ("ART-01", "throughput"): (layout.BASELINE_REPORT, of_each("arms", "baseline", "throughput")),
    ("ART-01", "memory footprint"): (layout.BASELINE_REPORT, of_each("arms", "baseline", "peak_rss_kib")),
    ("ART-01", "timestamp"): (layout.BASELINE_REPORT, put(timestamp="")),
    ("ART-01", "git commit"): (layout.BASELINE_REPORT, gone("git_commit")),
    ("ART-02", "top-10 hotspots in percent"): (HOTSPOTS, lambda told: told["total"].pop()),
    ("ART-02", "allocation profile"): (MEMORY, gone("peak_bytes")),
    ("ART-03", "p50 latency"): (layout.COMPARISON, of_each("metrics", "p50_ns", "candidate")),
    ("ART-03", "p95 latency"): (layout.COMPARISON, of_each("metrics", "p95_ns", "baseline")),
    ("ART-03", "p99 latency"): (layout.COMPARISON, of_each("metrics", "p99_ns")),
    ("ART-03", "throughput"): (layout.COMPARISON, of_each("metrics", "throughput")),
    ("ART-03", "peak RSS"): (layout.COMPARISON, of_each("metrics", "peak_rss_kib", "candidate", "estimate")),
    ("ART-03", "cold-start time"): (layout.COMPARISON, of_the_last("metrics", "cold_start_ns")),
    ("ART-03", "improvement in percent"): (layout.COMPARISON, of_each("metrics", "p99_ns", "improvement_percent")),
    ("ART-05", "p99 impact"): (layout.TAIL, of_each("p99_overhead_percent")),
    ("ART-05", "overhead in percent"): (layout.TAIL, put(scenarios=[])),
    ("ART-05", "justification if the overhead exceeds 5 %"): (
        layout.TAIL, put(over_budget=["tenth-100"], justification=None, justification_note="over 5 % in: tenth-100")),
}  # fmt: skip


@pytest.mark.parametrize(("artifact", "field"), FIELDS, ids=" ".join)
def test_a_field_that_its_file_does_not_hold_is_named(sealed: Files, tmp_path: Path, artifact: str, field: str) -> None:
    name, edit = FIELDS[artifact, field]
    document = json.loads(sealed[name])
    edit(document)
    answer = checked(bundles.rechained({**sealed, name: pretty_json(document)}), tmp_path)
    assert answer.code == 1
    assert f"no {field}" in [lack["missing"] for lack in answer.document["lacks"] if lack["clause"] == artifact]
    assert "INV-PRF-ARTIFACTS" in answer.failing
    assert set(answer.codes) == {"PRF-002"}


def test_a_flamegraph_that_is_no_picture_is_named(sealed: Files, tmp_path: Path) -> None:
    name = layout.profile_file("baseline", "cpu.svg")
    answer = checked(bundles.rechained({**sealed, name: b"no picture"}), tmp_path)
    assert (answer.code, answer.lacks) == (1, {"ART-02": "no flamegraph"})


def half(proof: ProofRecord) -> ProofRecord:
    return proof.model_copy(update={"conformance": proof.conformance[:1]})


def alone(proof: ProofRecord) -> ProofRecord:
    return proof.model_copy(update={"lockstep": ()})


def unseen(proof: ProofRecord) -> ProofRecord:
    return proof.model_copy(update={"coverage": None})


PROOF_FIELDS: dict[str, tuple[str, Callable[[ProofRecord], ProofRecord]]] = {
    "conformance before and after": ("verify", half),
    "lockstep comparison": ("verify", alone),
    "edge-case coverage of the optimized path": ("prove", unseen),
}


@pytest.mark.parametrize("field", PROOF_FIELDS)
def test_a_field_that_the_proof_does_not_hold_is_named(parts: bundles.Parts, tmp_path: Path, field: str) -> None:
    stage, change = PROOF_FIELDS[field]
    proofs = tuple(change(proof) if proof.stage == stage else proof for proof in parts.proofs)
    answer = prfpipe("doctrine", str(bundles.build(tmp_path, replace(parts, proofs=proofs))), "--json")
    told = [(lack["clause"], lack["missing"]) for lack in answer.document["lacks"]]
    assert (answer.code, told) == (1, [("ART-04", f"no {field}"), ("ART-04", f"stage {stage} shows no correctness")])
    assert answer.failing == {"INV-PRF-ARTIFACTS", "INV-PRF-COMPAT"}


def test_every_field_of_the_doctrine_has_a_test_that_takes_it_away() -> None:
    tested = {*FIELDS, *(("ART-04", field) for field in PROOF_FIELDS), ("ART-02", "flamegraph")}
    assert tested == {(artifact.id, field) for artifact in doctrine.ARTIFACTS for field in artifact.fields}


# ---- files are missing, or are not what was sealed ------------------------------------------------------

ONE_FILE_EACH = {artifact: names[0] for artifact, names in layout.REQUIRED.items()}


@pytest.mark.parametrize(("artifact", "name"), ONE_FILE_EACH.items(), ids=ONE_FILE_EACH)
def test_a_file_that_is_gone_is_named_with_its_artifact(
    sealed: Files, tmp_path: Path, artifact: str, name: str
) -> None:
    answer = checked({key: data for key, data in sealed.items() if key != name}, tmp_path)
    assert (answer.code, answer.lacks, answer.failing) == (1, {artifact: name}, set(ALL))
    [event] = answer.document["events"]
    assert (event["code"], event["level"]) == ("PRF-002", "error")
    assert event["message"] == f"Missing required performance artifact: {artifact}: {name}"
    assert event["figures"] == {"scope": "bundle", "clause": artifact, "missing": name, "invariants": ", ".join(ALL)}


def test_files_that_are_gone_are_one_event_for_each_artifact(sealed: Files, tmp_path: Path) -> None:
    kept = {name: data for name, data in sealed.items() if not name.startswith(("art-05", "art-03"))}
    answer = checked({name: data for name, data in kept.items() if name != layout.VERDICT}, tmp_path)
    assert answer.lacks == {
        "ART-03": ", ".join(sorted(layout.REQUIRED["ART-03"])),
        "ART-05": ", ".join(sorted(layout.REQUIRED["ART-05"])),
        "bundle": layout.VERDICT,
    }
    assert answer.codes == ["PRF-002"] * 3


def test_a_file_that_was_never_made_is_named_although_all_else_is_made_again(sealed: Files, tmp_path: Path) -> None:
    answer = checked(
        bundles.rechained({key: data for key, data in sealed.items() if key != layout.TAIL_TEXT}), tmp_path
    )
    assert answer.code == 1
    assert answer.lacks["ART-05"] == layout.TAIL_TEXT


def test_a_changed_file_shows_nothing(sealed: Files, tmp_path: Path) -> None:
    answer = checked({**sealed, layout.TAIL: sealed[layout.TAIL] + b"\n"}, tmp_path)
    assert (answer.code, answer.failing) == (1, set(ALL))
    assert answer.lacks == {"bundle": f"Every file has its listed size and sha256: changed: {layout.TAIL}"}
    assert answer.document["bundles"] == [{"lever": None, "run_id": None, "verdict": None, "claim": None}]


def test_an_empty_folder_and_a_link_show_nothing(sealed: Files, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    folder = written(sealed, tmp_path)
    (folder / "more").symlink_to(tmp_path)
    for found in (tmp_path / "empty", folder):
        answer = prfpipe("doctrine", str(found), "--json")
        assert (answer.code, answer.failing, answer.lacks.keys()) == (1, set(ALL), {"bundle"})


# ---- what the audit takes and the doctrine does not -----------------------------------------------------


def test_profiles_that_were_not_asked_for_are_missing_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "profile_files", lambda variant: layout.profile_files(
        records.profile(variant, operations=0, cpu=None, allocations=None)))  # fmt: skip
    lever = records.lever(bundles.SPEEDUPS, guards=(), profiles=())
    folder = str(bundles.build(tmp_path, bundles.Parts.of(bundles.plan(lever=lever))))
    assert prfpipe("audit", folder).code == 0
    answer = prfpipe("doctrine", folder, "--json")
    assert (answer.code, answer.failing) == (1, {"INV-PRF-ARTIFACTS", "INV-PRF-PROFILED"})
    assert layout.profile_file("baseline", "cpu.svg") in str(answer.document["lacks"])
    assert all("this lever cannot be profiled in full" in lack["missing"] for lack in answer.document["lacks"])


def test_a_lever_outside_of_any_repository_has_no_commit(tmp_path: Path) -> None:
    source = bundles.plan().provenance.model_copy(update={"git_commit": NO_COMMIT})
    folder = str(bundles.build(tmp_path, bundles.Parts.of(bundles.plan(provenance=source))))
    assert "note  All five artifacts hold what they must: ART-01: no git commit" in prfpipe("audit", folder).out
    answer = prfpipe("doctrine", folder, "--json")
    assert (answer.code, answer.failing) == (1, {"INV-PRF-ARTIFACTS"})
    assert answer.lacks == {"ART-01": "no git commit (the lever's folder is in no git repository)"}
    [event] = answer.document["events"]
    assert (event["run_id"], event["lever"]) == (bundles.RUN_ID, "LEV-01")


def test_a_proof_of_another_tree_is_no_proof(parts: bundles.Parts, tmp_path: Path) -> None:
    prove, verify = parts.proofs
    other = verify.model_copy(update={"tree_digest": sha256_hex(b"another tree")})
    folder = bundles.build(tmp_path, replace(parts, proofs=(prove, other)))
    answer = prfpipe("doctrine", str(folder), "--json")
    assert (answer.code, answer.failing, answer.lacks) == (
        1, {"INV-PRF-COMPAT"}, {"ART-04": "stage verify is of another tree"},
    )  # fmt: skip


# ---- usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [("./nothing-here",), ("not-a-run-id",), ("./bundle", "--archive", "./evidence"), ("--store", "./evidence")],
    ids=" ".join,
)
def test_bad_usage_is_exit_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    answer = prfpipe("doctrine", *argv)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err


def test_a_run_that_the_store_does_not_have_is_exit_4(tmp_path: Path) -> None:
    answer = prfpipe("doctrine", bundles.RUN_ID, "--store", str(tmp_path), "--json")
    assert (answer.code, answer.out) == (4, "")
