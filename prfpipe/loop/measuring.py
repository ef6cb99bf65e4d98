"""The stages that measure: baseline (with its A/A control) and re-profile (both variants, paired)."""

from collections.abc import Callable, Iterator

from prfpipe import layout, verdict
from prfpipe.doctrine import Stage
from prfpipe.loop.context import RunContext
from prfpipe.measure import Bench, choose_schedule, measure
from prfpipe.models import Invocation, SampleSet, Scenario, Schedule
from prfpipe.plan import planned_scenarios
from prfpipe.samples import SampleWriter, read_samples

_NS = 1_000_000_000


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
    """Measure baseline, control and candidate together: the primary scenario until the question is decided."""
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
    others = len(planned_scenarios(plan)) - 1
    seconds = plan.rule.seconds if scenario.primary else plan.rule.secondary_seconds / others
    at_least = plan.rule.min_invocations if scenario.primary else plan.rule.secondary_invocations

    def primary_is_enough(done: list[Invocation]) -> bool:
        return verdict.primary_is_enough(plan, SampleSet(schedules=(schedule,), invocations=tuple(done)))

    enough = primary_is_enough if scenario.primary else _after(seconds, at_least, plan.rule.max_invocations)
    for invocation in measure(bench, scenario, schedule, context.seed(Stage.REPROFILE), enough):
        yield invocation
        elapsed, done = invocation.elapsed_ns / _NS, invocation.index + 1
        total = max(seconds, elapsed / done * at_least)
        context.progress.say(
            f"re-profile: {scenario.name}, {done} invocations",
            done=elapsed / total,
            remaining=total - elapsed,
        )


def _after(seconds: float, at_least: int, at_most: int) -> Callable[[list[Invocation]], bool]:
    """Enough after so many seconds, but not before `at_least` invocations, and never more than `at_most`."""

    def enough(done: list[Invocation]) -> bool:
        if len(done) < at_least:
            return False
        return len(done) >= at_most or done[-1].elapsed_ns >= seconds * _NS

    return enough
