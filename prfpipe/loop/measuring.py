"""The stages that measure: baseline (with its A/A control) and re-profile (both variants, paired)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

from prfpipe import layout
from prfpipe.doctrine import Stage
from prfpipe.loop.context import RunContext
from prfpipe.measure import Bench, choose_schedule, measure
from prfpipe.models import Invocation, Plan, SampleSet, Scenario, Schedule
from prfpipe.plan import planned_scenarios
from prfpipe.samples import SampleWriter, read_samples
from prfpipe.stopping import is_enough, seconds

_NS = 1_000_000_000


def measure_baseline(context: RunContext) -> SampleSet:
    """Cut every planned scenario into blocks by a pilot, then measure two copies of the baseline."""
    stage = Stage.BASELINE
    tree = context.baseline_tree
    bench = context.bench(stage, {"baseline": tree, "control": tree})
    scenarios = planned_scenarios(context.plan)
    with context.off_the_bench(), SampleWriter(context.folder, stage) as writer:
        for position, scenario in enumerate(scenarios):
            context.progress.say(f"baseline: {scenario.name}", done=position / len(scenarios))
            schedule = choose_schedule(bench, scenario, context.seed(stage))
            writer.append(schedule)
            enough = partial(is_enough, context.plan, stage, schedule)
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
    left, enough = _Left.of(plan, scenario.name), partial(is_enough, plan, Stage.REPROFILE, schedule)
    for invocation in measure(bench, scenario, schedule, context.seed(Stage.REPROFILE), enough):
        yield invocation
        elapsed, done = invocation.elapsed_ns / _NS, invocation.index + 1
        share, remaining = left.after(elapsed, done)
        context.progress.say(f"re-profile: {scenario.name}, {done} invocations", done=share, remaining=remaining)


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
        at, budgets = names.index(scenario), [seconds(plan, Stage.REPROFILE, name) for name in names]
        sequential = scenario in plan.sequential
        at_least = plan.rule.min_invocations if sequential else plan.rule.secondary_invocations
        return cls(sum(budgets[:at]), budgets[at], sum(budgets[at + 1 :]), at_least)

    def after(self, elapsed: float, done: int) -> tuple[float, float]:
        """The share of all measuring that is done, and the seconds left, after `done` invocations."""
        own = max(self.seconds, elapsed / done * self.at_least)
        remaining = max(own - elapsed, 0.0) + self.after_it
        return 1 - remaining / (self.before + own + self.after_it), remaining
