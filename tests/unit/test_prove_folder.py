"""A proof without content is no pass, and a malformed lever folder is refused with the place."""

import json
from pathlib import Path
from typing import Any

import pytest

from prfpipe.errors import LeverError
from prfpipe.models import ProofRecord
from tests.support.levers import CASE, write_lever
from tests.support.proofs import candidate_with, codes, messages, proof_of, with_edge_cases


def test_a_proof_that_shows_nothing_does_not_pass() -> None:
    empty = ProofRecord(stage="verify", tree_digest="0" * 64, conformance=(), lockstep=())
    assert {"empty-proof", "oracle-untested"} <= codes(empty)


@pytest.mark.parametrize("part", ["conformance", "edge_cases", "lockstep"])
def test_a_proof_without_one_of_its_parts_does_not_pass(tmp_path: Path, part: str) -> None:
    record = proof_of(write_lever(tmp_path / "lever"), with_coverage=True)
    assert codes(record.model_copy(update={part: ()})) == {"empty-proof"}


def test_an_edge_case_without_operations_does_not_pass(tmp_path: Path) -> None:
    workload = with_edge_cases('    yield "nothing", []\n    yield "one", [{"words": ["a"]}]')
    record = proof_of(write_lever(tmp_path / "lever", workload=workload), stage="prove")
    assert messages(record, "empty-proof") == "edge case `nothing` has no operations"


def test_two_edge_cases_of_one_name_are_refused(tmp_path: Path) -> None:
    workload = with_edge_cases('    yield "a", [{"words": []}]\n    yield "a", [{"words": []}]')
    with pytest.raises(LeverError, match="two cases named `a`"):
        proof_of(write_lever(tmp_path / "lever", workload=workload), stage="prove")


def test_hostile_edge_case_names_lead_nowhere(tmp_path: Path) -> None:
    names = ["../../up", "a\x1b[2Jb\n", "\ud800", "x" * 5000, "\u202etxt.exe"]
    workload = with_edge_cases(f'    for name in {names!a}:\n        yield name, [{{"words": ["a"]}}]')
    candidate = candidate_with("self.answered = 0")
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate, workload=workload), stage="prove")
    shown = messages(record, "edge-case-wrong").replace("\n", "")
    assert shown.isprintable()
    assert len(record.edge_cases) == len(names)
    assert max(len(case.name) for case in record.edge_cases) < 200
    assert {path.name for path in tmp_path.iterdir()} == {"lever", "scratch"}
    ProofRecord.model_validate_json(record.model_dump_json())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"name": "x",\n  "params": }', r"conformance/bad\.json: .*line 2"),
        ("[]", r"conformance/bad\.json: the whole"),
        (json.dumps(CASE | {"operations": 3}), r"conformance/bad\.json: operations"),
        (json.dumps(CASE | {"operations": [], "expected": []}), r"conformance/bad\.json: operations"),
        (json.dumps(CASE | {"expected": []}), r"conformance/bad\.json: 2 operations but 0 expected"),
        (json.dumps(CASE | {"nam": 1}), r"conformance/bad\.json: nam"),
        (json.dumps(CASE).replace('"words": 2', '"words": 1e999'), r"conformance/bad\.json: .*JSON"),
        ('{"name": "x", "name": "y"}', r"conformance/bad\.json: .*stands twice"),
        (json.dumps(CASE), "is the name of a case in another file too"),
    ],
)
def test_a_malformed_conformance_file_is_named_with_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    folder = write_lever(tmp_path / "lever", files={"conformance/bad.json": text})
    with pytest.raises(LeverError, match=complaint):
        proof_of(folder)


def test_a_wrong_expectation_fails_on_both_variants(tmp_path: Path) -> None:
    wrong: dict[str, Any] = CASE | {"expected": [CASE["expected"][0], None]}
    record = proof_of(write_lever(tmp_path / "lever", files={"conformance/two-words.json": json.dumps(wrong)}))
    text = messages(record, "conformance-failed")
    assert "fails on the baseline" in text
    assert "fails on the candidate" in text
