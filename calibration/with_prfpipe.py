"""prfpipe's own measurement and decision on one case, through the doors that the product uses."""

import time
from functools import cache

from calibration.case import LEVER, Case, Finding, ToolError, call_of
from prfpipe import host, measure, verdict
from prfpipe.lever import load_lever
from prfpipe.models import ARMS, Effort, Estimate, HostFingerprint, Invocation, LeverSpec, Plan, SampleSet, Schedule
from prfpipe.plan import make_plan
from prfpipe.subject.variants import copy_tree, source_files

# The last invocation starts before the time is over; this is for its end and for the figures.
_RESERVE_S = 0.4
_SHORTEST_S = 0.1


def compare(case: Case) -> Finding:
    """Plan, pilot and measure within the case's time; then judge as if it had stopped where the rule says so."""
    began = time.perf_counter()
    plan = _plan(case)
    trees = {arm: case.scratch / "trees" / arm for arm in ARMS}
    for tree in trees.values():
        copy_tree(LEVER, tree)
    bench = measure.Bench(spec=plan.lever, trees=trees, scratch=case.scratch, cpu=case.cpu, timeout=60.0)
    scenario = plan.lever.primary
    with host.leave_cpu_free(case.cpu):
        schedule = measure.choose_schedule(bench, scenario, plan.seed)
        preparation = time.perf_counter() - began
        plan = with_seconds(plan, case.seconds - preparation - _RESERVE_S)
        measured = measure.measure(bench, scenario, schedule, plan.seed, lambda done: _time_is_over(plan, done))
        return judge(plan, schedule, list(measured), preparation)


def _plan(case: Case) -> Plan:
    return make_plan(
        spec_for(case.experiment.name, case.experiment.extra_percent),
        Effort.STANDARD,
        source_files=source_files(LEVER),
        host=_fingerprint(),
        noise=host.probe_noise(accept=True),
        command=("calibration/calibrate.py",),
        folder=LEVER,
        seed=case.seed,
    )


def spec_for(scenario: str, extra_percent: int) -> LeverSpec:
    """The calibration lever with one scenario, which is the primary one."""
    spec = load_lever(LEVER).spec
    found = next(item for item in spec.scenarios if item.name == scenario)
    if found.params != {"extra_percent": extra_percent}:
        raise ToolError(f"scenario {scenario} is not +{extra_percent} %", hint="Fix calibration/lever/lever.yaml.")
    return spec.model_copy(update={"scenarios": (found.model_copy(update={"primary": True}),)})


def with_seconds(plan: Plan, seconds: float) -> Plan:
    """The plan with another cap on the primary scenario's time."""
    rule = plan.rule.model_copy(update={"seconds": max(seconds, _SHORTEST_S)})
    return plan.model_copy(update={"rule": rule})


def _time_is_over(plan: Plan, done: list[Invocation]) -> bool:
    """The cap alone: a decision does not stop the measurement here, so that estimates have the whole time."""
    if not done:
        return False
    in_time = done[-1].elapsed_ns >= plan.rule.seconds * 1e9 and len(done) >= plan.rule.min_invocations
    return in_time or len(done) >= plan.rule.max_invocations


def judge(plan: Plan, schedule: Schedule, invocations: list[Invocation], preparation: float = 0.0) -> Finding:
    """The estimate from all invocations; the call from those up to where prfpipe would have stopped."""
    prefixes = (_samples(schedule, invocations[:n]) for n in range(1, len(invocations) + 1))
    stopped = next(found for found in prefixes if verdict.is_enough(plan, found, schedule.scenario))
    used = stopped.invocations
    if any(len({arm.outputs for arm in item.arms.values()}) > 1 for item in used):
        raise ToolError("the arms of the calibration lever differ in what they answer", hint="Fix calibration/lever.")
    at_stop = verdict.scenario_results(plan, stopped)[0]
    at_end = verdict.scenario_results(plan, _samples(schedule, invocations))[0]
    low, high = change_of(at_stop.speedup.high), change_of(at_stop.speedup.low)
    change = _change(at_stop.speedup.estimate)
    return Finding(
        change_percent=_change(at_end.speedup.estimate),
        true_percent=float(plan.lever.primary.params["extra_percent"]),
        call=call_of(change, significant=excludes_one(at_stop.speedup)),
        details={
            "invocations": len(invocations),
            "stopped_after": len(used),
            "stopped_s": round(preparation + used[-1].elapsed_ns / 1e9, 3),
            "stopped_change_percent": change,
            "low_percent": low,
            "high_percent": high,
            "control_percent": _change(at_end.control.estimate),
            "control_call": call_of(_change(at_stop.control.estimate), significant=excludes_one(at_stop.control)),
            "noise_percent": plan.noise.spread_percent,
        },
    )


def excludes_one(value: Estimate) -> bool:
    """Whether an interval exists and does not hold 1."""
    return value.low is not None and value.high is not None and (value.low > 1 or value.high < 1)


def change_of(speedup: float | None) -> float | None:
    """A bound of a speed-up as a change of time in percent."""
    return None if speedup is None else _change(speedup)


def _change(speedup: float) -> float:
    return round(100 * (1 / speedup - 1), 4)


def _samples(schedule: Schedule, invocations: list[Invocation]) -> SampleSet:
    return SampleSet(schedules=(schedule,), invocations=tuple(invocations))


@cache
def _fingerprint() -> HostFingerprint:
    return host.fingerprint()
