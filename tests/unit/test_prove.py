"""Each way in which a candidate or a baseline can be wrong is found and named."""

from pathlib import Path

import pytest

from prfpipe.errors import SubjectCrashError, SubjectHangError
from prfpipe.proof_rules import failures
from prfpipe.subject.variants import tree_digest
from tests.support.levers import BASELINE, CANDIDATE, WORKLOAD, write_lever
from tests.support.proofs import candidate_with, codes, messages, proof_of, with_canonical, with_edge_cases


def test_a_right_candidate_passes_with_every_part_on_record(tmp_path: Path) -> None:
    said: list[str] = []
    folder = write_lever(tmp_path / "lever")
    record = proof_of(folder, with_coverage=True, said=said)
    assert failures(record) == ()
    assert not failures(record)
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
    assert all(bad.caught for bad in record.self_test if bad.tried)
    assert any("two words" in line for line in said)
    assert any("lockstep" in line for line in said)


def test_a_run_leaves_nothing_but_coverage_data_in_its_scratch_folder(tmp_path: Path) -> None:
    proof_of(write_lever(tmp_path / "lever"))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_wrong_for_one_edge_case_is_named(tmp_path: Path) -> None:
    line = 'operation = {"words": [word for word in operation["words"] if len(operation["words"]) != 37]}'
    cases = '    for n in range(5, 40, 4):\n        yield f"{n} words", [{"words": ["w"] * n}]'
    folder = write_lever(tmp_path / "lever", candidate=candidate_with(line), workload=with_edge_cases(cases))
    record = proof_of(folder, with_coverage=True)
    assert codes(record) == {"edge-case-wrong"}
    assert "edge case `37 words`" in messages(record, "edge-case-wrong")
    assert [case.name for case in record.edge_cases if not case.passed] == ["37 words"]


def test_wrong_only_after_many_operations_is_found_with_its_index_and_place(tmp_path: Path) -> None:
    line = 'operation = operation if self.answered != 150 else {"words": ["zz"]}'
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate_with(line)), seconds=600.0)
    assert codes(record) == {"lockstep-difference"}
    [found] = [result for result in record.lockstep if result.against == "candidate"]
    assert [case.name for case in found.differences] == ["operation 149"]
    assert "candidate has" in found.differences[0].detail
    assert "zz" in found.differences[0].detail
    assert f"seed {found.seed}" in messages(record, "lockstep-difference")


def test_lockstep_stops_after_a_few_differences(tmp_path: Path) -> None:
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate_with("self.answered += 1")), seconds=600.0)
    [found] = [result for result in record.lockstep if result.against == "candidate"]
    assert (found.operations, len(found.differences)) == (3, 3)


def test_a_stale_cache_is_found(tmp_path: Path) -> None:
    line = 'operation = self.__dict__.setdefault("cache", operation)'
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate_with(line)))
    assert {"conformance-failed", "lockstep-difference"} <= codes(record)
    assert "`two words` fails on the candidate: operation 1" in messages(record, "conformance-failed")


def test_reordered_output_is_found(tmp_path: Path) -> None:
    candidate = BASELINE.replace("sorted(map(list, counts.items()))", "sorted(map(list, counts.items()))[::-1]")
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
    workload = with_canonical('return json.dumps([result["counts"], result["answered"], result["rate"]]).encode()')
    record = proof_of(write_lever(tmp_path / "lever", candidate=candidate, workload=workload))
    assert "canonical() does not take what candidate has" in messages(record, "lockstep-difference")


def test_an_oracle_that_fails_on_the_right_result_is_no_reject(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", workload=with_canonical('raise KeyError("counts")'))
    with pytest.raises(SubjectCrashError, match="workload failed in canonical: KeyError"):
        proof_of(folder)


# ---- trouble that is no verdict ----


def test_a_candidate_that_raises_is_a_crash_that_names_case_and_operation(tmp_path: Path) -> None:
    candidate = candidate_with('len(operation["words"]) or 1 / 0')
    with pytest.raises(SubjectCrashError, match=r"ZeroDivisionError.*operation 0.*edge case `no words`") as caught:
        proof_of(write_lever(tmp_path / "lever", candidate=candidate), stage="prove")
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
        proof_of(write_lever(tmp_path / "lever", candidate=candidate), stage="prove", timeout=5.0)


def test_coverage_that_the_candidate_throws_away_is_a_crash_and_no_reject(tmp_path: Path) -> None:
    candidate = CANDIDATE.replace(
        "        pass\n",
        "        import coverage\n        (coverage.Coverage.current() or self).save = lambda: None\n",
    )
    with pytest.raises(SubjectCrashError, match=r"before coverage\.py could write"):
        proof_of(write_lever(tmp_path / "lever", candidate=candidate), with_coverage=True)


# ---- the world and the seeds ----

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
    assert not failures(proof_of(folder))


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
