"""The stages that measure: baseline (with its A/A control) and re-profile (both variants, paired)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from prfpipe import layout, verdict
from prfpipe.doctrine import Stage
from prfpipe.loop.context import RunContext
from prfpipe.measure import Bench, choose_schedule, measure
from prfpipe.models import Invocation, Plan, SampleSet, Scenario, Schedule
from prfpipe.plan import planned_scenarios
from prfpipe.samples import SampleWriter, read_samples

_NS = 1_000_000_000
Enough = Callable[[list[Invocation]], bool]


def measure_baseline(context: RunContext) -> SampleSet:
    """Cut every planned scenario into blocks by a pilot, then measure two copies of the baseline.

    Half of the time is for the primary scenario; each scenario gets at least one invocation.
    """
    stage = Stage.BASELINE
    tree = context.baseline_tree
    bench = context.bench(stage, {"baseline": tree, "control": tree})
    scenarios = planned_scenarios(context.plan)
    with context.off_the_bench(), SampleWriter(context.folder, stage) as writer:
        for position, scenario in enumerate(scenarios):
            context.progress.say(f"baseline: {scenario.name}", done=position / len(scenarios))
            schedule = choose_schedule(bench, scenario, context.seed(stage))
            writer.append(schedule)
            share = 0.5 if scenario.primary else 0.5 / (len(scenarios) - 1)
            enough = _after(context.plan.rule.baseline_seconds * share, 1, context.plan.rule.max_invocations)
            for invocation in measure(bench, scenario, schedule, context.seed(stage), enough):
                writer.append(invocation)
        writer.finish()
    return samples_of(context, stage)


def measure_both(context: RunContext) -> SampleSet:
    """Measure baseline, control and candidate together: the primary scenario and the strata until they are decided."""
    stage = Stage.REPROFILE
    trees = (context.baseline_tree, context.candidate_tree)
    bench = context.bench(stage, {"baseline": trees[0], "control": trees[0], "candidate": trees[1]})
    schedules = {item.scenario: item for item in samples_of(context, Stage.BASELINE).schedules}
    with context.off_the_bench(), SampleWriter(context.folder, stage) as writer:
        for scenario in planned_scenarios(context.plan):
            writer.append(schedules[scenario.name])
            for invocation in _measured(context, bench, scenario, schedules[scenario.name]):
                writer.append(invocation)
        writer.finish()
    return samples_of(context, stage)


def samples_of(context: RunContext, stage: Stage) -> SampleSet:
    """A finished sample set, read back from its bytes: what is decided on is what is archived."""
    name = layout.SAMPLES[stage]
    return read_samples(context.folder.read(name), name, stage)


def _measured(context: RunContext, bench: Bench, scenario: Scenario, schedule: Schedule) -> Iterator[Invocation]:
    plan = context.plan
    left = _Left.of(plan, scenario.name)
    for invocation in measure(bench, scenario, schedule, context.seed(Stage.REPROFILE), _enough(plan, schedule)):
        yield invocation
        elapsed, done = invocation.elapsed_ns / _NS, invocation.index + 1
        share, remaining = left.after(elapsed, done)
        context.progress.say(f"re-profile: {scenario.name}, {done} invocations", done=share, remaining=remaining)


def _enough(plan: Plan, schedule: Schedule) -> Enough:
    """The primary scenario and the strata until their question is decided, the others as long as the plan says."""
    if schedule.scenario not in plan.sequential:
        rule = plan.rule
        return _after(_seconds(plan, schedule.scenario), rule.secondary_invocations, rule.max_invocations)

    def decided(done: list[Invocation]) -> bool:
        samples = SampleSet(schedules=(schedule,), invocations=tuple(done))
        return verdict.is_enough(plan, samples, schedule.scenario)

    return decided


def _seconds(plan: Plan, scenario: str) -> float:
    """The longest that the plan wants to measure a scenario; what is neither primary nor a stratum shares its time."""
    if scenario in plan.sequential:
        return plan.rule.seconds
    return plan.rule.secondary_seconds / (len(planned_scenarios(plan)) - len(plan.sequential))


@dataclass(frozen=True)
class _Left:
    """How long measuring may still take, in seconds: of this scenario, and of those before and after it."""

    before: float
    seconds: float
    after_it: float
    at_least: int

    @classmethod
    def of(cls, plan: Plan, scenario: str) -> Self:
        names = [item.name for item in planned_scenarios(plan)]
        at, budgets = names.index(scenario), [_seconds(plan, name) for name in names]
        sequential = scenario in plan.sequential
        at_least = plan.rule.min_invocations if sequential else plan.rule.secondary_invocations
        return cls(sum(budgets[:at]), budgets[at], sum(budgets[at + 1 :]), at_least)

    def after(self, elapsed: float, done: int) -> tuple[float, float]:
        """The share of all measuring that is done, and the seconds left, after `done` invocations."""
        own = max(self.seconds, elapsed / done * self.at_least)
        remaining = max(own - elapsed, 0.0) + self.after_it
        return 1 - remaining / (self.before + own + self.after_it), remaining


def _after(seconds: float, at_least: int, at_most: int) -> Enough:
    """Enough after so many seconds, but not before `at_least` invocations, and never more than `at_most`."""

    def enough(done: list[Invocation]) -> bool:
        if len(done) < at_least:
            return False
        return len(done) >= at_most or done[-1].elapsed_ns >= seconds * _NS

    return enough
