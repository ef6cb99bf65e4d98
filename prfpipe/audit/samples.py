"""What the plan says about samples: scenarios, arms, seeds, order in time, and when to stop."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from prfpipe.audit.bundle import MAX_PROBLEMS, Bundle
from prfpipe.digests import derive_seed
from prfpipe.doctrine import Stage
from prfpipe.figures import counted
from prfpipe.models import Arm, Plan, SampleSet
from prfpipe.plan import MAX_INVOCATIONS, MAX_SAMPLES, planned_scenarios
from prfpipe.stopping import is_enough

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
    if too_many := list(islice(_too_many(plan, samples), MAX_PROBLEMS)):
        yield from too_many
        return
    yield from _scenarios(plan, samples)
    yield from _invocations(plan, samples, stage)
    if stage is Stage.REPROFILE:
        yield from _schedules(bundle)
    yield from _stopping(plan, samples, stage)


def _too_many(plan: Plan, samples: SampleSet) -> Iterator[str]:
    """What no run has, and exact statistics would take hours and gigabytes for."""
    most = min(plan.rule.max_invocations, MAX_INVOCATIONS)
    for name, count in Counter(item.scenario for item in samples.invocations).items():
        if count > most:
            yield f"{name!a} has {count} invocations, at most {most} are looked at"
    for schedule in samples.schedules:
        if (count := schedule.block * schedule.rounds) > MAX_SAMPLES:
            yield f"{schedule.scenario!a} has {count} samples an invocation, at most {MAX_SAMPLES} are looked at"


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


def _stopping(plan: Plan, samples: SampleSet, stage: MeasuringStage) -> Iterator[str]:
    """A scenario ends when its time is up or its question decided: not before, and not after."""
    for schedule in samples.schedules:
        found = counted(samples, schedule.scenario)
        if not is_enough(plan, stage, schedule, found):
            yield f"{schedule.scenario!a} ends before the plan's rule allows it: invocations were dropped"
        if any(is_enough(plan, stage, schedule, found[:n]) for n in range(len(found))):
            yield f"{schedule.scenario!a} goes on after the plan's rule ends it"
