"""Measuring small real subjects: schedules, balance, fresh processes, equal work for every arm."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe import measure
from prfpipe.digests import derive_seed
from prfpipe.errors import SubjectCrashError
from prfpipe.lever import load_lever
from prfpipe.measure import Bench, choose_schedule, cut
from prfpipe.models import ARMS, Arm, Invocation, Scenario, Schedule
from prfpipe.plan import MAX_SAMPLES
from tests.support.levers import BASELINE, CANDIDATE, WORKLOAD, write_lever

# Notes each operation with its process, its arm and its randomness beside the working folders.
NOTING = """\
import json, os, sys


class Subject:
    def __init__(self, params, workdir):
        self.log = workdir.parents[1] / "log.jsonl"
        self.own = {"arm": workdir.name.rstrip("_"), "pid": os.getpid(), "hash": hash("a")}
        self.own["cwd"] = sorted(os.listdir(workdir))
        self.own["environment"] = sum(len(name) + len(value) for name, value in os.environ.items())
        self.own["tree"] = sys.path[0]

    def operate(self, operation):
        with self.log.open("a") as stream:
            stream.write(json.dumps({**self.own, "operation": operation, "world": self.world()}) + "\\n")
        return operation

    def world(self):
        return open("world").read() if os.path.exists("world") else None
"""
PREPARE = """\


def prepare(operation, params, workdir):
    (workdir / "world").write_text(operation["words"][0] if operation["words"] else "none")
"""


@pytest.fixture(autouse=True)
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    # These subjects note what they see beside their working folders.
    monkeypatch.setenv("PRFPIPE_SANDBOX", "off")


def bench(tmp_path: Path, *, arms: tuple[Arm, ...] = ARMS, **sources: str) -> Bench:
    folder = write_lever(tmp_path / "lever", **sources)
    trees = dict.fromkeys(arms, folder)
    return Bench(load_lever(folder).spec, trees, tmp_path / "scratch", cpu=None, timeout=60.0)


def take(the_bench: Bench, schedule: Schedule, invocations: int, *, seed: int = 1, warmup: int = 1) -> list[Invocation]:
    scenario = Scenario(name="small", primary=True, params={"words": 5}, warmup=warmup)
    return list(measure.measure(the_bench, scenario, schedule, seed, lambda done: len(done) >= invocations))


def schedule(group: int = 1, block: int = 1, rounds: int = 2) -> Schedule:
    return Schedule(scenario="small", group=group, block=block, rounds=rounds)


def log(the_bench: Bench) -> list[dict[str, object]]:
    return [json.loads(line) for line in (the_bench.scratch / "log.jsonl").read_text().splitlines()]


def noting(tmp_path: Path, workload: str = WORKLOAD, arms: tuple[Arm, ...] = ARMS) -> Bench:
    return bench(tmp_path, arms=arms, baseline=NOTING, candidate=NOTING, workload=workload)


# ---- schedules ------------------------------------------------------------------------------------------


@given(st.integers(1, 10**12), st.booleans(), st.integers(1, 3))
def test_a_schedule_keeps_its_bounds(operation_ns: int, prepares: bool, arms: int) -> None:
    found = cut("s", operation_ns=operation_ns, prepares=prepares, arms=arms)
    assert found.block * found.rounds <= MAX_SAMPLES
    assert found.rounds <= measure.MAX_ROUNDS
    assert found.rounds == 1 or found.rounds % 2 == 0
    sample_ns = found.group * operation_ns
    assert found.group == 1 or sample_ns <= measure.SAMPLE_NS
    assert found.block == 1 or found.block * sample_ns <= measure.BLOCK_NS
    assert found.rounds == 1 or arms * found.rounds * found.block * sample_ns <= measure.INVOCATION_NS


@given(st.integers(1, 10**12), st.integers(1, 3))
def test_where_the_world_is_prepared_a_block_is_one_operation(operation_ns: int, arms: int) -> None:
    found = cut("s", operation_ns=operation_ns, prepares=True, arms=arms)
    assert (found.group, found.block) == (1, 1)


def test_the_pilot_cuts_short_operations_into_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A pilot that takes long: where it takes 2 ms, a neighbour that takes the core for a moment changes its answer.
    monkeypatch.setattr(measure, "BLOCK_NS", 1_000_000_000)
    found = choose_schedule(bench(tmp_path), Scenario(name="small", params={"words": 1}), 1)
    assert found.scenario == "small"
    assert found.group > 1


def test_the_pilot_takes_the_world_into_account(tmp_path: Path) -> None:
    found = choose_schedule(bench(tmp_path, workload=WORKLOAD + PREPARE), Scenario(name="s", params={"words": 1}), 1)
    assert (found.group, found.block) == (1, 1)


# ---- invocations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("group", "block", "rounds"), [(1, 1, 1), (3, 4, 2), (1, 2, 6)])
def test_samples_have_the_shape_of_the_schedule(tmp_path: Path, group: int, block: int, rounds: int) -> None:
    [found] = take(bench(tmp_path), schedule(group, block, rounds), 1)
    assert sorted(found.order) == sorted(found.arms) == sorted(ARMS)
    for samples in found.arms.values():
        assert len(samples.samples_ns) == block * rounds
        assert len(samples.wall_ns) == len(samples.cpu_ns) == rounds
        assert sum(samples.samples_ns) <= sum(samples.wall_ns)
        assert samples.cold_start_ns > 0
        assert samples.peak_rss_kib > 0
        assert samples.session_cpu_ns >= sum(samples.cpu_ns)


def test_every_arm_answers_the_same_operations_in_the_same_order(tmp_path: Path) -> None:
    the_bench = noting(tmp_path)
    take(the_bench, schedule(group=2, block=3, rounds=4), 1, warmup=5)
    by_arm = {arm: [line["operation"] for line in log(the_bench) if line["arm"] == arm] for arm in ARMS}
    assert by_arm["baseline"] == by_arm["control"] == by_arm["candidate"]
    assert len(by_arm["baseline"]) == 5 + 2 * 3 * 4


def test_no_timed_operation_is_seen_twice(tmp_path: Path) -> None:
    the_bench = noting(tmp_path, workload=WORKLOAD.replace('"abcdefgh"', "range(1000)"), arms=("baseline",))
    take(the_bench, schedule(rounds=4), 3, warmup=2)
    seen = Counter(json.dumps(line["operation"]) for line in log(the_bench))
    assert set(seen.values()) == {1}
    assert len(seen) == 3 * (2 + 4)


def test_every_second_round_is_the_first_one_in_reverse(tmp_path: Path) -> None:
    the_bench = noting(tmp_path)
    take(the_bench, schedule(rounds=8), 3)
    arms = [str(line["arm"]) for line in log(the_bench)]
    rounds = [arms[at : at + 3] for start in (0, 27, 54) for at in range(start + 3, start + 27, 3)]
    for there, back in zip(rounds[::2], rounds[1::2], strict=True):
        assert sorted(there) == sorted(ARMS)
        assert back == there[::-1]
    assert len({tuple(each) for each in rounds[::2]}) > 2


def test_each_invocation_has_fresh_processes_and_its_own_randomness_which_its_arms_share(tmp_path: Path) -> None:
    the_bench = noting(tmp_path)
    found = take(the_bench, schedule(), 3)
    lines = log(the_bench)
    assert len({line["pid"] for line in lines}) == 3 * len(ARMS)
    assert all(line["cwd"] == [] for line in lines)
    shared = {(line["hash"], line["environment"]) for line in lines}
    assert len(shared) == 3
    assert len({item.seed for item in found}) == 3


def test_the_world_is_prepared_before_every_operation_of_every_arm(tmp_path: Path) -> None:
    the_bench = noting(tmp_path, workload=WORKLOAD + PREPARE)
    take(the_bench, schedule(rounds=4), 1, warmup=3)
    lines = log(the_bench)
    assert len(lines) == len(ARMS) * (3 + 4)
    assert all(line["world"] == line["operation"]["words"][0] for line in lines)  # type: ignore[index]


def test_a_folder_that_is_prepared_for_good_is_prepared_once_for_each_arm_of_each_invocation(tmp_path: Path) -> None:
    for_good = (
        PREPARE
        + """    with open("prepared.txt", "a") as stream:
        stream.write(f"{workdir.name}\\n")
    return True
"""
    )
    the_bench = noting(tmp_path, workload=WORKLOAD + for_good.replace("prepared.txt", str(tmp_path / "prepared.txt")))
    take(the_bench, schedule(rounds=4), 2, warmup=3)
    prepared = (tmp_path / "prepared.txt").read_text().split()
    assert {name: prepared.count(name) for name in prepared} == {f"{arm:_<9}": 2 for arm in ARMS}
    assert len(log(the_bench)) == 2 * len(ARMS) * (3 + 4)


def test_the_candidate_runs_in_its_own_tree_and_both_copies_of_the_baseline_in_theirs(tmp_path: Path) -> None:
    one, two = (write_lever(tmp_path / name, baseline=NOTING, candidate=NOTING) for name in ("tree-a", "tree-b"))
    trees: dict[Arm, Path] = {"baseline": one, "control": one, "candidate": two}
    the_bench = Bench(load_lever(one).spec, trees, tmp_path / "scratch", cpu=None, timeout=60.0)
    take(the_bench, schedule(), 1)
    assert {str(line["arm"]): line["tree"] for line in log(the_bench)} == {
        arm: str(tree) for arm, tree in trees.items()
    }


def test_subjects_are_pinned_to_the_measuring_cpu(tmp_path: Path) -> None:
    pinned = NOTING.replace('hash("a")', "sorted(os.sched_getaffinity(0))")
    folder, cpu = write_lever(tmp_path / "lever", baseline=pinned, candidate=pinned), max(os.sched_getaffinity(0))
    the_bench = Bench(load_lever(folder).spec, dict.fromkeys(ARMS, folder), tmp_path / "scratch", cpu, 60.0)
    take(the_bench, schedule(), 1)
    assert all(line["hash"] == [cpu] for line in log(the_bench))


# ---- outputs --------------------------------------------------------------------------------------------


def test_equal_variants_have_equal_outputs_and_seeds_have_other_ones(tmp_path: Path) -> None:
    found = take(bench(tmp_path), schedule(block=3), 2)
    digests = [{samples.outputs for samples in item.arms.values()} for item in found]
    assert [len(each) for each in digests] == [1, 1]
    assert digests[0] != digests[1]


def test_the_same_seed_measures_the_same_work_again(tmp_path: Path) -> None:
    the_bench = bench(tmp_path)
    first, again = (take(the_bench, schedule(), 2, seed=5) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert (one.seed, one.order) == (other.seed, other.order)
        assert one.arms["baseline"].outputs == other.arms["baseline"].outputs


@pytest.mark.parametrize("wrong_from", [1, 4, 9])
def test_one_wrong_result_anywhere_even_in_the_warm_up_changes_the_outputs(tmp_path: Path, wrong_from: int) -> None:
    wrong = CANDIDATE.replace('"rate": 0.0', f'"rate": 0.0 + (self.answered == {wrong_from})')
    [found] = take(bench(tmp_path, candidate=wrong), schedule(block=4), 1)
    assert found.arms["baseline"].outputs == found.arms["control"].outputs
    assert found.arms["baseline"].outputs != found.arms["candidate"].outputs


def test_results_that_differ_only_where_the_oracle_does_not_look_are_equal(tmp_path: Path) -> None:
    reordered = CANDIDATE.replace(
        'return {"counts": counts, "answered": self.answered, "rate": 0.0}',
        'return {"rate": 0.0, "answered": self.answered, "counts": counts}',
    )
    [found] = take(bench(tmp_path, candidate=reordered), schedule(block=4), 1)
    assert len({samples.outputs for samples in found.arms.values()}) == 1


# ---- stopping and failing -------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [0, 1, 3])
def test_measuring_goes_on_until_it_is_enough_and_not_further(tmp_path: Path, wanted: int) -> None:
    asked: list[int] = []

    def enough(done: list[Invocation]) -> bool:
        asked.append(len(done))
        return len(done) >= wanted

    scenario = Scenario(name="small", primary=True, params={"words": 5})
    found = list(measure.measure(bench(tmp_path, arms=("baseline",)), scenario, schedule(), 1, enough))
    assert [item.index for item in found] == list(range(wanted))
    assert asked == list(range(wanted + 1))
    elapsed = [item.elapsed_ns for item in found]
    assert elapsed == sorted(set(elapsed))


def test_what_was_measured_before_a_crash_is_kept_and_the_crash_is_told(tmp_path: Path) -> None:
    crash = BASELINE.replace("        counts = {}", "        1 / (not self.crashes)\n        counts = {}")
    crash = crash.replace(
        "        self.answered = 0",
        '        self.answered, flag = 0, workdir.parents[1] / "flag"\n'
        "        self.crashes = flag.exists()\n        flag.touch()",
    )
    scenario = Scenario(name="small", primary=True, params={"words": 5})
    stream = measure.measure(
        bench(tmp_path, arms=("baseline",), baseline=crash), scenario, schedule(), 1, lambda _: False
    )
    assert next(stream).index == 0
    with pytest.raises(SubjectCrashError, match="failed in operate: ZeroDivisionError"):
        next(stream)


def test_leaving_a_measurement_early_leaves_no_process_and_no_working_folder(tmp_path: Path) -> None:
    the_bench = noting(tmp_path)
    stream = measure.measure(the_bench, Scenario(name="small", params={"words": 5}), schedule(), 1, lambda _: False)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    pids = {int(str(line["pid"])) for line in log(the_bench)}
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list((the_bench.scratch / "work").iterdir()) == []


# ---- seeds ----------------------------------------------------------------------------------------------


@given(st.integers(0, 2**48), st.text(max_size=20), st.integers(-1, 1000))
def test_seeds_are_repeatable_and_fit_into_json(seed: int, scenario: str, index: int) -> None:
    found = derive_seed(seed, scenario, index)
    assert found == derive_seed(seed, scenario, index)
    assert 0 <= found < 2**56


def test_seeds_of_different_invocations_scenarios_and_plans_differ() -> None:
    seeds = [derive_seed(seed, name, index) for seed in (1, 2) for name in ("a", "b") for index in range(-1, 50)]
    assert len(set(seeds)) == len(seeds)
