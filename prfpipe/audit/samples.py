"""What the plan says about samples: scenarios, arms, seeds, order in time, and when to stop."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from prfpipe import verdict
from prfpipe.audit.bundle import Bundle
from prfpipe.digests import derive_seed
from prfpipe.doctrine import Stage
from prfpipe.figures import counted
from prfpipe.models import Arm, Invocation, Plan, SampleSet, Schedule
from prfpipe.plan import planned_scenarios

MeasuringStage = Literal[Stage.BASELINE, Stage.REPROFILE]
MEASURING: tuple[MeasuringStage, ...] = (Stage.BASELINE, Stage.REPROFILE)
_ARMS: dict[MeasuringStage, set[Arm]] = {
    Stage.BASELINE: {"baseline", "control"},
    Stage.REPROFILE: {"baseline", "control", "candidate"},
}
# Clocks are set while machines run, by less than this if somebody looks after them.
CLOCK_STEP = timedelta(seconds=5)


def problems(bundle: Bundle, stage: MeasuringStage) -> Iterator[str]:
    """Everything about a stage's samples that does not follow from the plan."""
    plan, samples = bundle.plan, bundle.samples(stage)
    yield from _scenarios(plan, samples)
    yield from _invocations(plan, samples, stage)
    if stage is Stage.REPROFILE:
        yield from _schedules(bundle)
        yield from _stopping(plan, samples)


def _scenarios(plan: Plan, samples: SampleSet) -> Iterator[str]:
    planned = [item.name for item in planned_scenarios(plan)]
    measured = [schedule.scenario for schedule in samples.schedules]
    if sorted(measured) != sorted(planned):
        yield f"the plan has the scenarios {sorted(planned)}, measured were {sorted(measured)}"
    for name in measured:
        if not counted(samples, name):
            yield f"{name!a} has no invocation that counts"


def _invocations(plan: Plan, samples: SampleSet, stage: MeasuringStage) -> Iterator[str]:
    planned_at = datetime.fromisoformat(plan.provenance.created_at)
    stage_seed = derive_seed(plan.seed, f"stage {stage}", 0)
    for item in samples.invocations:
        what = f"{item.scenario!a}, invocation {item.index}"
        if item.seed != derive_seed(stage_seed, item.scenario, item.index):
            yield f"{what}: its seed is not the one that follows from the plan"
        if item.excluded is not None:
            # The format can flag an invocation, but no plan has a rule yet that allows it.
            yield f"{what}: flagged {item.excluded!a}, which the plan does not allow for"
        if item.excluded is None and set(item.arms) != _ARMS[stage]:
            yield f"{what}: its arms are {sorted(item.arms)}"
        if datetime.fromisoformat(item.started_at) < planned_at - CLOCK_STEP:
            yield f"{what}: measured at {item.started_at}, before the plan of {plan.provenance.created_at}"


def _schedules(bundle: Bundle) -> Iterator[str]:
    before = {item.scenario: item for item in bundle.baseline_samples.schedules}
    for schedule in bundle.comparison_samples.schedules:
        if before.get(schedule.scenario) != schedule:
            yield f"{schedule.scenario!a} is cut into other blocks than in the baseline stage"


def _stopping(plan: Plan, samples: SampleSet) -> Iterator[str]:
    for schedule in samples.schedules:
        name, found = schedule.scenario, counted(samples, schedule.scenario)
        if name in plan.sequential:
            yield from _stopping_by_rule(plan, schedule, found)
        elif len(found) < plan.rule.secondary_invocations:
            yield f"{name!a} has {len(found)} invocations, the plan asks for {plan.rule.secondary_invocations}"


def _stopping_by_rule(plan: Plan, schedule: Schedule, found: Sequence[Invocation]) -> Iterator[str]:
    """The primary scenario and each stratum end when their own question is decided: not before, and not after."""
    what = "the primary scenario" if schedule.scenario == plan.lever.primary.name else f"stratum {schedule.scenario!a}"

    def is_enough(n: int) -> bool:
        samples = SampleSet(schedules=(schedule,), invocations=tuple(found[:n]))
        return verdict.is_enough(plan, samples, schedule.scenario)

    if not is_enough(len(found)):
        yield f"{what} ends before the plan's rule allows it: invocations were dropped"
    if any(is_enough(n) for n in range(len(found))):
        yield f"{what} goes on after the plan's rule ends it"
