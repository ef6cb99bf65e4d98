"""What the plan says about samples: scenarios, arms, seeds, order in time, and when to stop."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from prfpipe import verdict
from prfpipe.audit.bundle import Bundle
from prfpipe.digests import derive_seed
from prfpipe.doctrine import Stage
from prfpipe.figures import counted
from prfpipe.models import Arm, Plan, SampleSet
from prfpipe.plan import planned_scenarios

MeasuringStage = Literal[Stage.BASELINE, Stage.REPROFILE]
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
    primary = _only(samples, plan.lever.primary.name)
    if not verdict.primary_is_enough(plan, primary):
        yield "the primary scenario ends before the plan's rule allows it: invocations were dropped"
    for schedule in samples.schedules:
        found = len(counted(samples, schedule.scenario))
        asked = 0 if schedule.scenario == plan.lever.primary.name else plan.rule.secondary_invocations
        if found < asked:
            yield f"{schedule.scenario!a} has {found} invocations, the plan asks for {asked}"


def _only(samples: SampleSet, scenario: str) -> SampleSet:
    return SampleSet(
        schedules=tuple(item for item in samples.schedules if item.scenario == scenario),
        invocations=tuple(item for item in samples.invocations if item.scenario == scenario),
    )
