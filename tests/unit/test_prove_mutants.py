"""A mutant in the candidate's place is caught by its case or said to survive; trouble around it is no catch."""

from pathlib import Path
from typing import Any

import pytest

from prfpipe.errors import LeverError, SubjectCrashError
from prfpipe.models import MutantResult
from tests.support.levers import BASELINE, CASE, WORKLOAD, write_lever
from tests.support.proofs import candidate_with, codes, messages, proof_of, with_edge_cases

EDGE, CONFORMANCE = "one word, twice", "two words"
SUBCLASS = """\
import candidate


class Subject(candidate.Subject):
    def result(self, counts):
        return super().result({counts})
"""
WRONG = SUBCLASS.replace("{counts}", "counts[1:]")
RIGHT = SUBCLASS.replace("{counts}", "counts")


def lever_with(folder: Path, mutant: str, caught_by: str = EDGE, **lever: Any) -> Path:
    mutants = {"bug": {"python": "mutants/bug.py", "caught_by": caught_by}}
    return write_lever(folder / "lever", files={"mutants/bug.py": mutant}, mutants=mutants, **lever)


def found(folder: Path, mutant: str, caught_by: str = EDGE, **lever: Any) -> MutantResult:
    record = proof_of(lever_with(folder, mutant, caught_by, **lever), stage="prove", timeout=5.0)
    assert ("mutant-survives" in codes(record)) == (not record.mutants[0].caught)
    [result] = record.mutants
    return result


def test_a_wrong_answer_is_caught_against_the_baseline_on_an_edge_case(tmp_path: Path) -> None:
    result = found(tmp_path, WRONG)
    assert (result.mutant, result.caught_by, result.caught) == ("bug", EDGE, True)
    assert result.detail.startswith("operation 0: first difference at character")
    assert "mutant has" in result.detail


def test_a_wrong_answer_is_caught_against_the_expected_results_of_a_conformance_case(tmp_path: Path) -> None:
    result = found(tmp_path, WRONG, CONFORMANCE)
    assert (result.caught_by, result.caught) == (CONFORMANCE, True)


@pytest.mark.parametrize("caught_by", [EDGE, CONFORMANCE])
def test_a_survivor_rejects_the_lever_and_names_mutant_and_case(tmp_path: Path, caught_by: str) -> None:
    record = proof_of(lever_with(tmp_path, RIGHT, caught_by), with_coverage=True)
    assert codes(record) == {"mutant-survives"}
    assert messages(record, "mutant-survives") == f"mutant `bug` is not caught by `{caught_by}`: every result is right"


def test_a_mutant_may_show_at_a_later_operation(tmp_path: Path) -> None:
    mutant = candidate_with("self.answered = 1")
    assert found(tmp_path, mutant).detail.startswith("operation 1: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('raise ValueError("no such word")', "mutant bug failed in operate: ValueError: no such word (in operation 0)"),
        ('__import__("os")._exit(3)', "mutant bug"),
        ('__import__("time").sleep(600)', "mutant bug"),
        ("return object()", "mutant bug"),
        ('return {"counts": float("nan")}', "mutant bug"),
    ],
)
def test_a_mutant_that_fails_to_answer_is_caught(tmp_path: Path, line: str, said: str) -> None:
    result = found(tmp_path, candidate_with(line))
    assert result.caught
    assert said in result.detail
    assert "\n" not in result.detail


def test_an_answer_that_the_oracle_does_not_take_is_caught(tmp_path: Path) -> None:
    reads = WORKLOAD.replace("json.dumps(result,", 'json.dumps(dict(result, n=result["answered"]),')
    result = found(tmp_path, candidate_with('return {"counts": []}'), workload=reads)
    assert "canonical() does not take what mutant has" in result.detail


@pytest.mark.parametrize("mutant", ["import no_such_module\n", "class Subject:\n    pass\n", "x = (\n"])
def test_a_mutant_that_does_not_start_shows_nothing_and_is_trouble(tmp_path: Path, mutant: str) -> None:
    with pytest.raises(SubjectCrashError, match=r"mutant bug failed in (import|init).*`one word, twice`"):
        found(tmp_path, mutant)


def test_a_baseline_that_fails_is_no_catch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRFPIPE_SANDBOX", "off")  # it counts its starts beside its source
    once = 'open(__file__ + ".x", "a").write("x"); len(open(__file__ + ".x").read()) < 5 or 1 / 0'
    baseline = BASELINE.replace("counts = {}", f"counts = {{}}\n        {once}")
    workload = with_edge_cases(f'    yield "{EDGE}", [{{"words": ["a"]}}] * 2')
    with pytest.raises(SubjectCrashError, match="baseline failed in operate: ZeroDivisionError"):
        found(tmp_path, WRONG, baseline=baseline, workload=workload)


def test_a_case_that_does_not_exist_is_refused_before_anything_is_proven(tmp_path: Path) -> None:
    said: list[str] = []
    folder = lever_with(tmp_path, WRONG, "one word twice")
    with pytest.raises(LeverError, match="mutant `bug` is to be caught by `one word twice`, but no") as caught:
        proof_of(folder, stage="prove", said=said)
    assert "the nearest is `one word, twice`" in caught.value.hint
    assert said == []


def test_a_name_of_two_cases_is_refused(tmp_path: Path) -> None:
    workload = with_edge_cases(f'    yield "{CASE["name"]}", [{{"words": []}}]')
    with pytest.raises(LeverError, match="two cases have that name"):
        found(tmp_path, WRONG, CONFORMANCE, workload=workload)


def test_a_case_without_operations_catches_nothing(tmp_path: Path) -> None:
    assert not found(tmp_path, WRONG, workload=with_edge_cases(f'    yield "{EDGE}", []')).caught


def test_mutants_neither_count_for_coverage_nor_feed_the_self_test_nor_run_again_when_verifying(
    tmp_path: Path,
) -> None:
    plain, mutated = tmp_path / "plain", tmp_path / "mutated"
    before = proof_of(write_lever(plain / "lever"), with_coverage=True)
    after = proof_of(lever_with(mutated, WRONG), with_coverage=True)
    assert (before.coverage, before.self_test) == (after.coverage, after.self_test)
    assert proof_of(mutated / "lever", stage="verify").mutants == ()
