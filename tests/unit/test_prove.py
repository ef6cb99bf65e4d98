"""Each way in which a candidate, a baseline, an oracle or a lever folder can be wrong is found and named."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from prfpipe.errors import LeverError, SubjectCrashError, SubjectHangError
from prfpipe.models import ProofRecord
from prfpipe.prove import failures, passed, prove
from prfpipe.subject.variants import tree_digest
from tests.support.levers import BASELINE, CANDIDATE, CASE, WORKLOAD, spec_of, write_lever


def proof_of(
    folder: Path,
    *,
    stage: Literal["prove", "verify"] | None = None,
    seconds: float = 0.0,
    with_coverage: bool = False,
    timeout: float = 30.0,
    said: list[str] | None = None,
) -> ProofRecord:
    return prove(
        spec_of(folder),
        folder,
        folder.parent / "scratch",
        stage=stage or ("prove" if with_coverage else "verify"),
        seed=7,
        timeout=timeout,
        budget_seconds=seconds,
        with_coverage=with_coverage,
        progress=[].append if said is None else said.append,
    )


def codes(record: ProofRecord) -> set[str]:
    return {reason.code for reason in failures(record)}


def messages(record: ProofRecord, code: str) -> str:
    return "\n".join(reason.message for reason in failures(record) if reason.code == code)


def with_edge_cases(cases: str) -> str:
    return WORKLOAD.split("def edge_cases")[0] + f"def edge_cases(params):\n{cases}\n"


def with_canonical(body: str) -> str:
    return WORKLOAD.replace("return json.dumps(result, sort_keys=True).encode()", body)


def candidate_with(line: str) -> str:
    """The baseline with one more line before it counts: easy to make wrong."""
    return BASELINE.replace("        counts = {}\n", f"        counts = {{}}\n        {line}\n")


def test_a_right_candidate_passes_with_every_part_on_record(tmp_path: Path) -> None:
    said: list[str] = []
    folder = write_lever(tmp_path / "lever")
    record = proof_of(folder, with_coverage=True, said=said)
    assert failures(record) == ()
    assert passed(record)
    assert record.tree_digest == tree_digest(folder)
    assert [(case.name, case.operations) for case in record.edge_cases] == [
        ("no words", 1),
        ("one word, twice", 2),
    ]
    assert {result.variant: len(result.cases) for result in record.conformance} == {
        "baseline": 1,
        "candidate": 1,
    }
    assert {(result.against, result.operations) for result in record.lockstep} == {
        ("candidate", 2),
        ("baseline", 2),
    }
    assert record.coverage is not None
    assert [(file.file, file.missing_lines) for file in record.coverage] == [("candidate.py", ())]
    assert all(mutant.caught for mutant in record.self_test if mutant.tried)
    assert any("two words" in line for line in said)
    assert any("lockstep" in line for line in said)


def test_a_run_leaves_nothing_but_coverage_data_in_its_scratch_folder(tmp_path: Path) -> None:
    proof_of(write_lever(tmp_path / "lever"))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_wrong_for_one_edge_case_is_named(tmp_path: Path) -> None:
    line = 'operation = {"words": [word for word in operation["words"] if len(operation["words"]) != 37]}'
    cases = '    for n in range(5, 40, 4):\n        yield f"{n} words", [{"words": ["w"] * n}]'
    folder = write_lever(tmp_path / "lever", candidate=candidate_with(line), workload=with_edge_cases(cases))
    record = proof_of(folder)
    assert codes(record) == {"edge-case-wrong"}
    assert "edge case `37 words`" in messages(record, "edge-case-wrong")
    assert [case.name for case in record.edge_cases if not case.passed] == ["37 words"]


def test_wrong_only_after_many_operations_is_found_with_its_index_and_place(tmp_path: Path) -> None:
    line = 'operation = operation if self.answered != 150 else {"words": ["zz"]}'
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate_with(line)), seconds=20.0)
    assert codes(record) == {"lockstep-difference"}
    [found] = [result for result in record.lockstep if result.against == "candidate"]
    assert [case.name for case in found.differences] == ["operation 149"]
    assert "candidate has" in found.differences[0].detail
    assert "zz" in found.differences[0].detail
    assert f"seed {found.seed}" in messages(record, "lockstep-difference")


def test_lockstep_stops_after_a_few_differences(tmp_path: Path) -> None:
    record = proof_of(
        write_lever(tmp_path / "lever", candidate=candidate_with("self.answered += 1")), seconds=60.0
    )
    [found] = [result for result in record.lockstep if result.against == "candidate"]
    assert (found.operations, len(found.differences)) == (3, 3)


def test_a_stale_cache_is_found(tmp_path: Path) -> None:
    line = 'operation = self.__dict__.setdefault("cache", operation)'
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate_with(line)))
    assert {"conformance-failed", "lockstep-difference"} <= codes(record)
    assert "`two words` fails on the candidate: operation 1" in messages(record, "conformance-failed")


def test_reordered_output_is_found(tmp_path: Path) -> None:
    candidate = BASELINE.replace(
        "sorted(map(list, counts.items()))", "sorted(map(list, counts.items()))[::-1]"
    )
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate))
    assert {"conformance-failed", "lockstep-difference"} <= codes(record)


def test_a_candidate_that_depends_on_the_hash_seed_is_found(tmp_path: Path) -> None:
    candidate = BASELINE.replace("sorted(map(list, counts.items()))", "[[w, counts[w]] for w in set(counts)]")
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate))
    assert "lockstep-difference" in codes(record)
    assert "baseline-nondeterministic" not in codes(record)


def test_a_baseline_that_differs_from_itself_is_found(tmp_path: Path) -> None:
    random = BASELINE.replace('"rate": 0.0', '"rate": __import__("os").urandom(8).hex()')
    record = proof_of(write_lever(tmp_path / "lever", baseline=random, candidate=random))
    assert "baseline-nondeterministic" in codes(record)
    assert "lockstep of small" in messages(record, "baseline-nondeterministic")


def test_an_answer_that_the_oracle_cannot_read_is_a_difference_and_no_crash(tmp_path: Path) -> None:
    candidate = candidate_with("return None")
    workload = with_canonical(
        'return json.dumps([result["counts"], result["answered"], result["rate"]]).encode()'
    )
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate, workload=workload))
    assert "canonical() does not take what candidate has" in messages(record, "lockstep-difference")


def test_an_oracle_that_fails_on_the_right_result_is_no_reject(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", workload=with_canonical('raise KeyError("counts")'))
    with pytest.raises(SubjectCrashError, match="workload failed in canonical: KeyError"):
        proof_of(folder)


# ---- the oracle -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("canonical", "missed"),
    [
        ('return b""', {"empty", "null", "stale", "echoed-input", "off-by-one", "reordered", "dropped-key"}),
        ("return str(len(result)).encode()", {"stale", "off-by-one", "reordered", "changed-character"}),
        ("return json.dumps(sorted(json.dumps(result))).encode()", {"reordered"}),
        ("return json.dumps(result, sort_keys=True).lower().replace('-', '').encode()", {"sign-of-zero"}),
        ('return json.dumps(result, sort_keys=True).replace(\'"\', "").encode()', {"number-as-string"}),
    ],
)
def test_a_blind_oracle_is_found(tmp_path: Path, canonical: str, missed: set[str]) -> None:
    record = proof_of(write_lever(tmp_path / "lever", workload=with_canonical(canonical)))
    assert "oracle-blind" in codes(record)
    assert missed <= {mutant.mutant for mutant in record.self_test if mutant.tried and not mutant.caught}
    assert "still counts as the same result" in messages(record, "oracle-blind")


def test_a_kind_of_mutant_that_applies_nowhere_is_neither_caught_nor_missed(tmp_path: Path) -> None:
    record = proof_of(write_lever(tmp_path / "lever"))
    [flipped] = [mutant for mutant in record.self_test if mutant.mutant == "flipped"]
    assert (flipped.tried, flipped.caught) == (0, False)
    assert "oracle-blind" not in codes(record)


def test_an_oracle_that_was_shown_too_little_is_no_pass(tmp_path: Path) -> None:
    record = proof_of(write_lever(tmp_path / "lever"))
    few = record.model_copy(
        update={"self_test": tuple(m for m in record.self_test if m.mutant in ("null", "stale"))}
    )
    assert codes(few) == {"oracle-untested"}


# ---- coverage -------------------------------------------------------------------------------------------

ONLY_WORDS = '    yield "words", [{"words": ["a"]}]'


def test_lines_and_branches_that_no_edge_case_reaches_are_named(tmp_path: Path) -> None:
    record = proof_of(
        write_lever(tmp_path / "lever", workload=with_edge_cases(ONLY_WORDS)), with_coverage=True
    )
    assert codes(record) == {"coverage-missing"}
    assert messages(record, "coverage-missing") == (
        "candidate.py: no edge case reaches lines 12, branch 11->12"
    )


def test_coverage_joins_the_edge_cases_and_a_pragma_excuses_nothing(tmp_path: Path) -> None:
    candidate = CANDIDATE.replace("return self.result([])", "return self.result([])  # pragma: no cover")
    cases = '    yield "words", [{"words": ["a"]}]\n    yield "other", [{"words": ["b"]}]'
    folder = write_lever(tmp_path / "lever", candidate=candidate, workload=with_edge_cases(cases))
    (folder / ".coveragerc").write_text("[run]\nomit = *\n")
    assert "lines 12" in messages(proof_of(folder, with_coverage=True), "coverage-missing")


def test_a_written_reason_excuses_a_line(tmp_path: Path) -> None:
    reason = {"file": "candidate.py", "lines": [12], "reason": "An empty text never reaches the counter."}
    folder = write_lever(
        tmp_path / "lever", workload=with_edge_cases(ONLY_WORDS), coverage_exclusions=[reason]
    )
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
    assert passed(proof_of(folder, stage="verify"))
    assert codes(proof_of(folder, stage="prove")) == {"coverage-missing"}


# ---- empty proofs and malformed folders -----------------------------------------------------------------


def test_a_proof_that_shows_nothing_does_not_pass() -> None:
    empty = ProofRecord(stage="verify", tree_digest="0" * 64, conformance=(), lockstep=())
    assert {"empty-proof", "oracle-untested"} <= codes(empty)


@pytest.mark.parametrize("part", ["conformance", "edge_cases", "lockstep"])
def test_a_proof_without_one_of_its_parts_does_not_pass(tmp_path: Path, part: str) -> None:
    record = proof_of(write_lever(tmp_path / "lever"))
    assert codes(record.model_copy(update={part: ()})) == {"empty-proof"}


def test_an_edge_case_without_operations_does_not_pass(tmp_path: Path) -> None:
    workload = with_edge_cases('    yield "nothing", []\n    yield "one", [{"words": ["a"]}]')
    record = proof_of(write_lever(tmp_path / "lever", workload=workload))
    assert messages(record, "empty-proof") == "edge case `nothing` has no operations"


def test_two_edge_cases_of_one_name_are_refused(tmp_path: Path) -> None:
    workload = with_edge_cases('    yield "a", [{"words": []}]\n    yield "a", [{"words": []}]')
    with pytest.raises(LeverError, match="two cases named `a`"):
        proof_of(write_lever(tmp_path / "lever", workload=workload))


def test_hostile_edge_case_names_lead_nowhere(tmp_path: Path) -> None:
    names = ["../../up", "a\x1b[2Jb\n", "\ud800", "x" * 5000, "\u202etxt.exe"]
    workload = with_edge_cases(f'    for name in {names!a}:\n        yield name, [{{"words": ["a"]}}]')
    candidate = candidate_with("self.answered = 0")
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate, workload=workload))
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
def test_a_malformed_conformance_file_is_named_with_the_place(
    tmp_path: Path, text: str, complaint: str
) -> None:
    folder = write_lever(tmp_path / "lever", files={"conformance/bad.json": text})
    with pytest.raises(LeverError, match=complaint):
        proof_of(folder)


def test_a_wrong_expectation_fails_on_both_variants(tmp_path: Path) -> None:
    wrong: dict[str, Any] = CASE | {"expected": [CASE["expected"][0], None]}
    record = proof_of(
        write_lever(tmp_path / "lever", files={"conformance/two-words.json": json.dumps(wrong)})
    )
    text = messages(record, "conformance-failed")
    assert "fails on the baseline" in text
    assert "fails on the candidate" in text


# ---- trouble that is no verdict -------------------------------------------------------------------------


def test_a_candidate_that_raises_is_a_crash_that_names_case_and_operation(tmp_path: Path) -> None:
    candidate = candidate_with('len(operation["words"]) or 1 / 0')
    with pytest.raises(
        SubjectCrashError, match=r"ZeroDivisionError.*operation 0.*edge case `no words`"
    ) as caught:
        proof_of(write_lever(tmp_path / "lever", candidate=candidate))
    assert caught.value.exit_code == 4


def test_a_missing_import_is_a_crash_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SubjectCrashError, match="no_such_module") as caught:
        proof_of(write_lever(tmp_path / "lever", candidate="import no_such_module\n"))
    assert "requires" in caught.value.hint


def test_a_candidate_that_dies_names_where(tmp_path: Path) -> None:
    candidate = candidate_with('self.answered < 2 or __import__("os")._exit(3)')
    with pytest.raises(SubjectCrashError, match=r"operation 1.*conformance case `two words`"):
        proof_of(write_lever(tmp_path / "lever", candidate=candidate))


def test_a_candidate_that_hangs_names_where(tmp_path: Path) -> None:
    candidate = candidate_with('operation["words"] or __import__("time").sleep(600)')
    with pytest.raises(SubjectHangError, match="edge case `no words`"):
        proof_of(write_lever(tmp_path / "lever", candidate=candidate), timeout=2.0)


def test_coverage_that_the_candidate_throws_away_is_a_crash_and_no_reject(tmp_path: Path) -> None:
    candidate = CANDIDATE.replace(
        "        pass\n",
        "        import coverage\n        (coverage.Coverage.current() or self).save = lambda: None\n",
    )
    with pytest.raises(SubjectCrashError, match=r"before coverage\.py could write"):
        proof_of(write_lever(tmp_path / "lever", candidate=candidate), with_coverage=True)


# ---- the world and the seeds ----------------------------------------------------------------------------

PREPARE = """

def prepare(operation, params, workdir):
    assert params["words"] in (2, 20)
    text = " ".join(operation["words"])
    (workdir / "text").write_text(text)
"""


def test_the_world_is_prepared_before_each_operation_of_each_side(tmp_path: Path) -> None:
    reads = BASELINE.replace("self.answered = 0", "self.workdir = workdir; self.answered = 0").replace(
        'operation["words"]', '(self.workdir / "text").read_text().split()'
    )
    folder = write_lever(tmp_path / "lever", workload=WORKLOAD + PREPARE, baseline=reads, candidate=reads)
    assert passed(proof_of(folder))


def test_every_scenario_makes_at_least_two_operations_without_any_time_left(tmp_path: Path) -> None:
    scenarios = {name: {"primary": name == "a", "params": {"words": 20}} for name in "abc"}
    record = proof_of(write_lever(tmp_path / "lever", scenarios=scenarios))
    assert [(each.scenario, each.operations) for each in record.lockstep] == [
        ("a", 2),
        ("a", 2),
        ("b", 2),
        ("c", 2),
    ]


def test_proving_and_verifying_look_at_different_operations_and_repeat_themselves(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever")
    first, again, verified = (
        proof_of(folder, stage="prove"),
        proof_of(folder, stage="prove"),
        proof_of(folder),
    )
    assert first == again
    assert first.lockstep[0].seed != verified.lockstep[0].seed
