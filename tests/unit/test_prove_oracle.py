"""An oracle that does not look, and edge cases that do not reach, prove nothing."""

from pathlib import Path

import pytest

from prfpipe.proof_rules import failures
from tests.support.levers import CANDIDATE, write_lever
from tests.support.proofs import codes, messages, proof_of, with_canonical, with_edge_cases


@pytest.mark.parametrize(
    ("canonical", "missed"),
    [
        ('return b""', {"empty", "null", "stale", "echoed-input", "off-by-one", "reordered", "dropped-key"}),
        ("return str(len(result)).encode()", {"stale", "off-by-one", "reordered", "changed-character"}),
        ("return json.dumps(sorted(json.dumps(result))).encode()", {"reordered"}),
        ("return json.dumps(result, sort_keys=True).lower().replace('-', '').encode()", {"sign-of-zero"}),
        ('return json.dumps(result, sort_keys=True).replace(\'"\', "").encode()', {"number-as-string"}),
        (
            "counts = result.pop('counts'); return json.dumps([result, counts[:1], counts[-1:]]).encode()",
            {"off-by-one"},
        ),
        (
            "result.pop('answered', 0); return json.dumps(result, sort_keys=True).encode()",
            {"off-by-one", "dropped-key"},
        ),
    ],
)
def test_a_blind_oracle_is_found(tmp_path: Path, canonical: str, missed: set[str]) -> None:
    record = proof_of(write_lever(tmp_path / "lever", workload=with_canonical(canonical)))
    assert "oracle-blind" in codes(record)
    assert missed <= {bad.kind for bad in record.self_test if bad.tried and not bad.caught}
    assert "still counts as the same result" in messages(record, "oracle-blind")


def test_a_kind_of_bad_output_that_applies_nowhere_is_neither_caught_nor_missed(tmp_path: Path) -> None:
    record = proof_of(write_lever(tmp_path / "lever"))
    [flipped] = [bad for bad in record.self_test if bad.kind == "flipped"]
    assert (flipped.tried, flipped.caught) == (0, False)
    assert "oracle-blind" not in codes(record)


def test_an_oracle_that_was_shown_too_little_is_no_pass(tmp_path: Path) -> None:
    record = proof_of(write_lever(tmp_path / "lever"))
    few = record.model_copy(
        update={"self_test": tuple(bad for bad in record.self_test if bad.kind in ("null", "stale"))}
    )
    assert codes(few) == {"oracle-untested"}


# ---- coverage ----

ONLY_WORDS = '    yield "words", [{"words": ["a"]}]'


def test_lines_and_branches_that_no_edge_case_reaches_are_named(tmp_path: Path) -> None:
    record = proof_of(write_lever(tmp_path / "lever", workload=with_edge_cases(ONLY_WORDS)), with_coverage=True)
    assert codes(record) == {"coverage-missing"}
    assert messages(record, "coverage-missing") == ("candidate.py: no edge case reaches lines 12, branch 11->12")


def test_a_list_of_no_files_is_no_coverage(tmp_path: Path) -> None:
    record = proof_of(write_lever(tmp_path / "lever"), with_coverage=True)
    assert codes(record.model_copy(update={"coverage": ()})) == {"coverage-missing"}


@pytest.mark.parametrize(
    ("line", "excused"),
    [
        ("return self.result([])", "return self.result([])  # pragma: no cover"),
        ("if not words:", "if not words:  # if TYPE_CHECKING:"),
    ],
)
def test_coverage_joins_the_edge_cases_and_no_comment_excuses_anything(line: str, excused: str, tmp_path: Path) -> None:
    candidate = CANDIDATE.replace(line, excused)
    cases = '    yield "words", [{"words": ["a"]}]\n    yield "other", [{"words": ["b"]}]'
    folder = write_lever(tmp_path / "lever", candidate=candidate, workload=with_edge_cases(cases))
    (folder / ".coveragerc").write_text("[run]\nomit = *\n")
    assert "lines 12" in messages(proof_of(folder, with_coverage=True), "coverage-missing")


def test_a_written_reason_excuses_a_line(tmp_path: Path) -> None:
    reason = {"file": "candidate.py", "lines": [12], "reason": "An empty text never reaches the counter."}
    folder = write_lever(tmp_path / "lever", workload=with_edge_cases(ONLY_WORDS), coverage_exclusions=[reason])
    record = proof_of(folder, with_coverage=True)
    assert failures(record) == ()
    assert record.coverage is not None
    assert record.coverage[0].excluded_lines == (12,)


def test_a_file_of_the_optimized_path_that_is_never_loaded_is_missing(tmp_path: Path) -> None:
    folder = write_lever(
        tmp_path / "lever", files={"extra.py": "FAST = True\n"}, optimized_path=["candidate.py", "extra.py"]
    )
    assert "extra.py: no edge case reaches lines 1" in messages(
        proof_of(folder, with_coverage=True), "coverage-missing"
    )


def test_coverage_is_due_when_proving_and_not_when_verifying(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever")
    assert not failures(proof_of(folder, stage="verify"))
    assert codes(proof_of(folder, stage="prove")) == {"coverage-missing"}
