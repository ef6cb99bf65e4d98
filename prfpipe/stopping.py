"""When a scenario has been measured for long enough. Pure: the audit asks again, so nobody can end where it suits."""

from collections.abc import Sequence

from prfpipe import verdict
from prfpipe.doctrine import Stage
from prfpipe.models import Invocation, Plan, SampleSet, Schedule
from prfpipe.plan import planned_scenarios

_NS = 1_000_000_000


def is_enough(plan: Plan, stage: Stage, schedule: Schedule, done: Sequence[Invocation]) -> bool:
    """Whether a stage is done with a scenario: its question is decided, its time is up, or the cap is reached."""
    rule, name = plan.rule, schedule.scenario
    if stage is Stage.REPROFILE and name in plan.sequential:
        return verdict.is_enough(plan, SampleSet(schedules=(schedule,), invocations=tuple(done)), name)
    if len(done) < (1 if stage is Stage.BASELINE else rule.secondary_invocations):
        return False
    return len(done) >= rule.max_invocations or done[-1].elapsed_ns >= seconds(plan, stage, name) * _NS


def seconds(plan: Plan, stage: Stage, scenario: str) -> float:
    """The longest that a stage wants to measure a scenario.

    Half of the baseline stage's time is for the primary scenario. What else is not measured until it is decided shares
    what is left.
    """
    planned = planned_scenarios(plan)
    if stage is Stage.BASELINE:
        share = 0.5 if scenario == plan.lever.primary.name else 0.5 / (len(planned) - 1)
        return plan.rule.baseline_seconds * share
    if scenario in plan.sequential:
        return plan.rule.seconds
    return plan.rule.secondary_seconds / (len(planned) - len(plan.sequential))
