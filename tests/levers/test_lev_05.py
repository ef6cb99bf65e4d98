"""LEV-05: both schedulers do what an obvious model does, tuning changes nothing but time, and it has to generalize."""

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lever_modules import LEVERS, load_modules

FOLDER = LEVERS / "lev_05_scheduler"
lever = load_modules(FOLDER)
READY, TIMED, CANCEL, TICK = range(4)
OVERFITTED = lever.candidate.tuning_of(FOLDER / "overfitted.json")
TUNED = lever.candidate.tuning_of(FOLDER / "tuned.json")
TUNINGS = [TUNED, OVERFITTED, lever.tune.DEFAULT, *itertools.starmap(lever.wheel.Tuning, [(0, 1, 0), (30, 10, 2000)])]

Trace = list[list[int]]


class Model:
    """The rules of lanes.py with lists that are sorted and searched for each slot."""

    def __init__(self) -> None:
        self.now = self.streak = 0
        self.waiting: dict[int, int | None] = {}  # deadline by task, None in the ready lane
        self.finalizers: list[int] = []
        self.tasks = 0
        self.waited = [0, 0, 0]

    def operate(self, trace: Trace) -> dict[str, Any]:
        ran, missed = [], []
        for kind, first, second in trace:
            if kind == TICK:
                ran.append(self.tick(first, second))
            elif kind == CANCEL and first not in self.waiting:
                missed.append(first)
            elif kind == CANCEL:
                del self.waiting[first]
                self.finalizers.append(first)
            else:
                self.waiting[self.tasks] = self.now + first if kind == TIMED else None
                self.tasks += 1
        timed = sum(deadline is not None for deadline in self.waiting.values())
        return {"ran": ran, "missed": missed, "pending": [len(self.finalizers), timed, len(self.waiting) - timed]}

    def lanes(self) -> list[list[int]]:
        due = sorted((due, task) for task, due in self.waiting.items() if due is not None and due <= self.now)
        return [self.finalizers, [task for _, task in due], sorted(t for t, due in self.waiting.items() if due is None)]

    def tick(self, elapsed: int, slots: int) -> list[int]:
        self.now += elapsed
        ran: list[int] = []
        served = set()
        while len(ran) < slots and (lane := self.choose(self.lanes())) is not None:
            served.add(lane)
            ran.append(self.serve(lane))
        for lane, tasks in enumerate(self.lanes()):
            self.waited[lane] = self.waited[lane] + 1 if tasks and lane not in served else 0
        return ran

    def choose(self, lanes: list[list[int]]) -> int | None:
        runnable = [lane for lane in range(3) if lanes[lane]]
        if self.streak >= 16 and runnable != [0]:
            runnable = [lane for lane in runnable if lane != 0]
        starving = [lane for lane in runnable if self.waited[lane] >= (1, 3, 5)[lane]]
        return min(starving or runnable, default=None)

    def serve(self, lane: int) -> int:
        task = self.lanes()[lane][0]
        self.waited[lane] = 0
        self.streak = self.streak + 1 if lane == 0 else 0
        if lane == 0:
            self.finalizers.remove(task)
            return -1 - task
        del self.waiting[task]
        return task


def tuned(tuning: Any) -> Any:
    return lever.tune.Tuned(tuning)


def baseline() -> Any:
    return lever.baseline.Subject({}, Path())


def candidate() -> Any:
    return lever.candidate.Subject({}, Path())


VARIANTS: dict[str, Callable[[], Any]] = {"baseline": baseline, "candidate": candidate}
variants = pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)


def traffic(profile: str, operations: int = 2, seed: int = 3) -> list[Trace]:
    return list(itertools.islice(lever.traffic.segments(profile, seed), operations))


# ---- the same as the model ------------------------------------------------------------------------------

boundaries = st.builds(lambda bits, offset: 2**bits + offset, st.integers(0, 53), st.integers(-1, 1))
times = st.integers(0, 40) | boundaries
steps = st.one_of(
    st.just([READY, 0, 0]),
    st.builds(lambda delay: [TIMED, delay, 0], times | st.integers(-40, 0)),
    st.builds(lambda task: [CANCEL, task, 0], st.integers(-1, 30)),
    st.builds(lambda elapsed, slots: [TICK, elapsed, slots], times, st.integers(0, 20)),
    st.just([TICK, 0, 1]),
)
tunings = st.builds(lever.wheel.Tuning, st.integers(0, 30), st.integers(1, 10), st.integers(0, 20))


@settings(max_examples=300)
@given(st.lists(st.lists(steps, max_size=40), max_size=4), tunings)
def test_both_variants_do_what_the_model_does_whatever_the_tuning(traces: list[Trace], tuning: Any) -> None:
    model, subjects = Model(), [baseline(), candidate(), tuned(tuning)]
    for trace in traces:
        expected = model.operate(trace)
        assert [subject.operate(trace) for subject in subjects] == [expected] * 3


@given(st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(0, 20)), st.integers(1, 20), tunings)
def test_limits_of_streaks_and_starvation_are_those_of_the_model(
    waiting: tuple[int, int, int], slots: int, tuning: Any
) -> None:
    finalizers, timers, ready = waiting
    trace = [[READY, 0, 0]] * finalizers + [[CANCEL, task, 0] for task in range(finalizers)]
    trace += [[TIMED, 0, 0]] * timers + [[READY, 0, 0]] * ready
    trace += [[TICK, 1, slots]] * 20 + [[TICK, 1, 1]] * 80
    expected = Model().operate(trace)
    assert [subject.operate(trace) for subject in (baseline(), tuned(tuning))] == [expected] * 2


@pytest.mark.parametrize("tuning", TUNINGS, ids=str)
def test_tuning_changes_no_answer_of_any_edge_case(tuning: Any) -> None:
    for name, traces in lever.edge_cases.cases():
        pair = baseline(), tuned(tuning)
        for trace in traces:
            one, other = (subject.operate(trace) for subject in pair)
            assert one == other, name


@pytest.mark.parametrize("profile", lever.traffic.PROFILES)
def test_tuning_changes_no_answer_of_any_profile(profile: str) -> None:
    subjects = [baseline(), *map(tuned, TUNINGS)]
    for trace in traffic(profile):
        first, *others = (subject.operate(trace) for subject in subjects)
        assert others == [first] * len(others)


# ---- invariants, from the trace and the outcome alone ---------------------------------------------------


def life(make: Callable[[], Any], profile: str) -> tuple[Trace, dict[str, Any]]:
    """A whole trace in one operation: traffic, then ticks until all lanes are empty."""
    trace = [*itertools.chain(*traffic(profile)), *[[TICK, 10**9, 10_000]] * 8]
    return trace, make().operate(trace)


@variants
@pytest.mark.parametrize("profile", lever.traffic.PROFILES)
def test_every_task_ends_once_and_cancelled_ones_only_in_their_finalizer(make: Callable[[], Any], profile: str) -> None:
    trace, outcome = life(make, profile)
    ran = Counter(itertools.chain(*outcome["ran"]))
    cancelled = Counter(first for kind, first, _ in trace if kind == CANCEL)
    cancelled.subtract(outcome["missed"])
    took = {task for task, times in cancelled.items() if times}
    everyone = range(sum(kind in {READY, TIMED} for kind, _, _ in trace))
    assert ran == Counter([-1 - task if task in took else task for task in everyone])
    assert outcome["pending"] == [0, 0, 0]


@variants
@pytest.mark.parametrize("profile", lever.traffic.PROFILES)
def test_no_timer_is_early_and_lanes_keep_their_order(make: Callable[[], Any], profile: str) -> None:
    trace, outcome = life(make, profile)
    ends = deadlines(trace)
    last_ready = -1
    for now, ran in zip(clock(trace), outcome["ran"], strict=True):
        timed = [(ends[task], task) for task in ran if task in ends]
        assert timed == sorted(timed)
        assert all(deadline <= now for deadline, _ in timed)
        ready = [last_ready, *(task for task in ran if task >= 0 and task not in ends)]
        assert ready == sorted(ready)
        last_ready = ready[-1]


@variants
@pytest.mark.parametrize("profile", lever.traffic.PROFILES)
def test_others_get_a_slot_within_seventeen_steps(make: Callable[[], Any], profile: str) -> None:
    _, outcome = life(make, profile)
    for ran in outcome["ran"]:
        # Within a tick nobody arrives: who runs later in it was waiting during any streak before.
        streaks = [sum(1 for _ in group) for cancel, group in itertools.groupby(task < 0 for task in ran) if cancel]
        followed = streaks if ran and ran[-1] >= 0 else streaks[:-1]
        assert max(followed, default=0) <= 16


def clock(trace: Trace) -> Iterator[int]:
    return itertools.accumulate(first for kind, first, _ in trace if kind == TICK)


def deadlines(trace: Trace) -> dict[int, int]:
    found, now, tasks = {}, 0, 0
    for kind, first, _ in trace:
        now += first if kind == TICK else 0
        if kind == TIMED:
            found[tasks] = now + first
        tasks += kind in {READY, TIMED}
    return found


@variants
def test_outcomes_do_not_depend_on_where_the_trace_is_cut(make: Callable[[], Any]) -> None:
    [trace] = traffic("overload", 1)
    rng, whole, subject = random.Random(2), make().operate(trace), make()
    cuts = [0, *sorted(rng.sample(range(len(trace)), 20)), len(trace)]
    parts = [subject.operate(trace[start:end]) for start, end in itertools.pairwise(cuts)]
    for key in ("ran", "missed"):
        assert list(itertools.chain(*(part[key] for part in parts))) == whole[key]
    assert parts[-1]["pending"] == whole["pending"]


# ---- the wheel ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tuning", TUNINGS, ids=str)
def test_cancelled_timers_leave_nothing_in_the_wheel_but_a_bounded_rest(tuning: Any) -> None:
    wheel = lever.wheel.Wheel(tuning)
    for task in range(20_000):
        wheel.add(task, task * task * 100)
        assert wheel.cancel(task)
    buckets = [*wheel._slots, *wheel._far.values()]
    assert sum(map(len, buckets)) == len(wheel) == 0
    assert len(wheel._near) <= tuning.compact_after + 1


def test_a_leap_in_time_costs_no_more_than_the_turns_that_hold_timers() -> None:
    subject = tuned(lever.wheel.Tuning(0, 4, 10))
    assert subject.operate([[TIMED, 2**53, 0], [TICK, 2**60, 1]])["ran"] == [[0]]


# ---- profiles -------------------------------------------------------------------------------------------


def test_each_scenario_is_a_profile_that_says_why() -> None:
    spec = yaml.safe_load((FOLDER / "lever.yaml").read_text(encoding="utf-8"))
    profiles = lever.traffic.PROFILES
    assert {name: scenario["params"]["profile"] for name, scenario in spec["scenarios"].items()} == {
        n: n for n in profiles
    }
    assert all(len(profile["why"].split()) > 8 for profile in profiles.values())
    assert set(spec["must_hold"]) == {lever.tune.TUNED_ON, *lever.tune.HELD_OUT}
    assert spec["scenarios"][lever.tune.TUNED_ON]["primary"]


def test_profiles_mix_the_lanes_differently() -> None:
    profiles = ("ci_dev", "dev_local", "enterprise")
    steps = {name: Counter(kind for trace in traffic(name, 6)[2:] for kind, _, _ in trace) for name in profiles}
    assert all(min(steps[name][kind] for kind in range(4)) > 100 for name in profiles)
    assert steps["enterprise"][CANCEL] > steps["ci_dev"][CANCEL] > steps["dev_local"][CANCEL]
    assert steps["dev_local"][TICK] > steps["ci_dev"][TICK] > steps["enterprise"][TICK]


@pytest.mark.parametrize("profile", lever.traffic.PROFILES)
def test_cancellations_of_a_profile_mostly_find_their_task(profile: str) -> None:
    subject, asked, missed = candidate(), 0, 0
    for trace in traffic(profile, 4):
        missed += len(subject.operate(trace)["missed"])
        asked += sum(kind == CANCEL for kind, _, _ in trace)
    assert missed <= 0.6 * asked


# ---- tuning ---------------------------------------------------------------------------------------------


def hill(tuning: Any, profile: str, over: str) -> float:
    """A landscape instead of a measurement."""
    return 3 - abs(tuning.tick_bits - 15) / 10 - abs(tuning.slot_bits - 8) / 100


def test_the_search_climbs_and_repeats_with_its_seed(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        lever.tune.tune(tmp_path / name, hill, hill, trials=40, seed=1)
    one, two = (json.loads((tmp_path / name).read_text()) for name in ("one.json", "two.json"))
    assert one == two
    assert abs(one["tuning"]["tick_bits"] - 15) <= 1
    assert one["speedup_over"]["baseline"].keys() == {"ci_dev", "dev_local", "enterprise"}


def test_the_search_measures_on_ci_dev_only_and_verifies_on_all() -> None:
    asked = []

    def measure(tuning: Any, profile: str, over: str) -> float:
        asked.append(profile)
        return hill(tuning, profile, over)

    choice = lever.tune.search(measure, trials=5, seed=1)
    assert asked == ["ci_dev"] * 5
    lever.tune.verified(choice, measure)
    assert set(asked[5:]) == {"ci_dev", "dev_local", "enterprise"}


@pytest.mark.parametrize("over", ["default", "baseline"])
@pytest.mark.parametrize("loses", ["ci_dev", "dev_local", "enterprise"])
def test_a_choice_that_loses_on_any_profile_is_not_written(loses: str, over: str, tmp_path: Path) -> None:
    def measure(tuning: Any, profile: str, against: str) -> float:
        return 0.99 if (profile, against) == (loses, over) else 2.0

    with pytest.raises(lever.tune.LosesError, match=rf"refused: over the {over}: {loses} 0\.99x"):
        lever.tune.tune(tmp_path / "tuned.json", hill, measure, trials=2, seed=1)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_what_it_verified_or_exits_with_1(tmp_path: Path) -> None:
    out = tmp_path / "tuned.json"
    code = lever.tune.main(["--trials", "2", "--operations", "3", "--out", str(out)])
    assert (code, out.exists()) in {(0, True), (1, False)}


def test_an_overfitted_choice_gains_where_it_was_made_loses_elsewhere_and_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    over_baseline = [
        lever.tune.speed_up(OVERFITTED, profile, "baseline", count=25, seed=4) for profile in ("ci_dev", "dev_local")
    ]
    assert over_baseline[0] > 1 > over_baseline[1]
    assert lever.tune.main(["--check", str(FOLDER / "overfitted.json"), "--operations", "8"]) == 1
    assert "dev_local 0." in capsys.readouterr().err


def test_the_committed_tuning_is_one_that_the_search_may_choose_and_lost_nowhere() -> None:
    record = json.loads((FOLDER / "tuned.json").read_text(encoding="utf-8"))
    ranges = lever.tune.RANGES
    assert all(low <= record["tuning"][name] <= high for name, (low, high) in ranges.items())
    assert record["default"] == lever.tune.DEFAULT._asdict()
    assert (record["study"]["tuned_on"], record["study"]["held_out"]) == ("ci_dev", ["dev_local", "enterprise"])
    assert min(ratio for by in record["speedup_over"].values() for ratio in by.values()) >= 1


def test_only_tuning_needs_optuna() -> None:
    assert [path.name for path in FOLDER.glob("*.py") if "import optuna" in path.read_text("utf-8")] == ["tune.py"]
