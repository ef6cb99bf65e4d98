"""decide(plan, samples, proofs, profiles, tree) -> Verdict: the same function for producer and auditor. Pure.

Each rule adds reasons; a reason of kind `reject` outweighs one of kind `undecided`, and both outweigh the gain.
What cannot be shown is undecided.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from prfpipe import figures, limits, looks, stats
from prfpipe.clocks import unseen_losses, unseen_savings
from prfpipe.models import (
    ClaimWord,
    Estimate,
    GuardResult,
    Invocation,
    Plan,
    ProfileRecord,
    ProofRecord,
    PythonVariant,
    Reason,
    SampleSet,
    ScenarioResult,
    Schedule,
    StratumResult,
    TreeRecord,
    Verdict,
    VerdictWord,
)
from prfpipe.proof_rules import failures

_VARIANTS: tuple[Literal["baseline", "candidate"], ...] = ("baseline", "candidate")
# A profile samples; a gain above Amdahl's bound by less than this factor is within its error.
_AMDAHL_MARGIN = Fraction(3, 2)


class Finding(NamedTuple):
    """One reason and what it does to the verdict."""

    kind: Literal["reject", "undecided", "supports"]
    reason: Reason


def decide(
    plan: Plan,
    samples: SampleSet,
    proofs: Sequence[ProofRecord],
    profiles: Sequence[ProfileRecord],
    tree: TreeRecord,
) -> Verdict:
    """The verdict on a lever, from what was planned and what was recorded; nothing else enters."""
    results = scenario_results(plan, samples)
    primary = next((result for result in results if result.primary), None)
    guards = tuple(limits.guard_result(guard, primary) for guard in plan.rule.guards)
    by_name = {result.scenario: result for result in results}
    strata = tuple(limits.stratum_result(plan.rule, name, by_name.get(name)) for name in plan.rule.must_hold)
    findings = [
        *_proof_findings(proofs, tree),
        *_output_findings(samples.invocations),
        *_profile_findings(plan, profiles, primary),
        *(_effect_findings(plan, samples, primary, guards) if primary else [_nothing_measured(plan)]),
        *(finding for item in strata for finding in _stratum_findings(plan, samples, item, by_name.get(item.scenario))),
    ]
    return Verdict(
        run_id=plan.run_id,
        lever=plan.lever.id,
        effort=plan.effort,
        verdict=_word(findings),
        claim=_claim(plan, primary),
        reasons=tuple(finding.reason for finding in sorted(findings, key=lambda finding: _WEIGHT[finding.kind])),
        guards=guards,
        scenarios=results,
        strata=strata,
    )


_WEIGHT = {"reject": 0, "undecided": 1, "supports": 2}


def _word(findings: Sequence[Finding]) -> VerdictWord:
    kinds = {finding.kind for finding in findings}
    return "reject" if "reject" in kinds else "undecided" if "undecided" in kinds else "adopt"


def _reject(code: str, message: str) -> Finding:
    return Finding("reject", Reason(code=code, message=message))


def _undecided(code: str, message: str) -> Finding:
    return Finding("undecided", Reason(code=code, message=message))


def _supports(code: str, message: str) -> Finding:
    return Finding("supports", Reason(code=code, message=message))


# ---- figures at the looks that the plan allows -------------------------------------------------------------


def scenario_results(plan: Plan, samples: SampleSet) -> tuple[ScenarioResult, ...]:
    """Figures of every scenario that has been measured, primary first as the plan orders them."""
    found = (_scenario_result(plan, samples, schedule) for schedule in samples.schedules)
    return tuple(result for result in found if result)


def _scenario_result(plan: Plan, samples: SampleSet, schedule: Schedule) -> ScenarioResult | None:
    invocations = figures.counted(samples, schedule.scenario)
    if not invocations:
        return None
    taken, count = looks.taken(plan, schedule.scenario, invocations)
    confidence = float(1 - stats.exact(plan.rule.alpha))
    return figures.scenario_result(plan, schedule, invocations, looks=taken, count=count, confidence=confidence)


def is_enough(plan: Plan, samples: SampleSet, scenario: str) -> bool:
    """Whether the primary scenario or a stratum can stop: it is decided, its outputs differ, or the cap is reached.

    The samples of other scenarios do not matter.
    """
    invocations = figures.counted(samples, scenario)
    if not invocations:
        return False
    if list(_output_findings(invocations)):
        return True
    if not looks.is_due(plan, invocations):
        return False
    return looks.at_cap(plan, invocations) or _decided(plan, samples, scenario)


def _decided(plan: Plan, samples: SampleSet, scenario: str) -> bool:
    schedule = next(item for item in samples.schedules if item.scenario == scenario)
    result = _scenario_result(plan, samples, schedule)
    if result and result.primary:
        return _gain_is_decided(plan, result)
    return limits.stratum_result(plan.rule, scenario, result).state != "undecided"


def _gain_is_decided(plan: Plan, primary: ScenarioResult) -> bool:
    threshold = 1 + stats.exact(plan.rule.min_gain_percent) / 100
    low, high = primary.speedup.low, primary.speedup.high
    if low is None or high is None:
        return False
    if stats.exact(high) < threshold:
        return True
    states = {limits.guard_result(guard, primary).state for guard in plan.rule.guards}
    if "violated" in states:
        return True
    return stats.exact(low) > threshold and "undecided" not in states and _claim(plan, primary) != "undecided"


# ---- rules ----------------------------------------------------------------------------------------------


def _nothing_measured(plan: Plan) -> Finding:
    return _undecided("nothing-measured", f"scenario {plan.lever.primary.name} has no samples that count")


def _proof_findings(proofs: Sequence[ProofRecord], tree: TreeRecord) -> Iterator[Finding]:
    for stage in ("prove", "verify"):
        proof = next((record for record in proofs if record.stage == stage), None)
        if proof is None:
            yield _undecided("not-proven", f"there is no record of the stage {stage}")
            continue
        for reason in failures(proof):
            yield Finding("reject", reason)
        if proof.tree_digest != tree.digest:
            yield _reject("tree-differs", f"stage {stage} looked at another tree than the one that was measured")
    if tree.outside_path:
        yield _reject(
            "outside-path",
            f"files outside of the declared optimized path change: {', '.join(tree.outside_path)}",
        )


def _output_findings(invocations: Sequence[Invocation]) -> Iterator[Finding]:
    for item in invocations:
        if "candidate" not in item.arms:
            continue
        outputs = {arm: found.outputs for arm, found in item.arms.items()}
        where = f"scenario {item.scenario}, invocation {item.index} (seed {item.seed})"
        if outputs["baseline"] != outputs.get("control", outputs["baseline"]):
            yield _reject("baseline-nondeterministic", f"two copies of the baseline gave different outputs in {where}")
            return
        if outputs["baseline"] != outputs["candidate"]:
            yield _reject("timed-outputs-differ", f"baseline and candidate gave different outputs in {where}")
            return


def _profile_findings(
    plan: Plan, profiles: Sequence[ProfileRecord], primary: ScenarioResult | None
) -> Iterator[Finding]:
    cpu = {record.variant: record.cpu for record in profiles}
    unseen = [name for name in _VARIANTS if name not in cpu or (_is_python(plan, name) and cpu[name] is None)]
    if unseen:
        yield _undecided("not-profiled", f"there is no profile of the {' and the '.join(unseen)} (INV-PRF-PROFILED)")
    baseline, low = cpu.get("baseline"), primary.speedup.low if primary else None
    if baseline is None or baseline.amdahl_speedup is None or low is None:
        return
    if stats.exact(low) > stats.exact(baseline.amdahl_speedup) * _AMDAHL_MARGIN:
        yield _undecided(
            "gain-exceeds-profile",
            f"a speed-up of at least {low:.2f}x, but the declared targets hold only "
            f"{baseline.target_percent:.1f} % of the baseline's time, which allows "
            f"{baseline.amdahl_speedup:.2f}x: the saved time is somewhere else",
        )


def _is_python(plan: Plan, variant: Literal["baseline", "candidate"]) -> bool:
    # Profilers cannot see into a command, and the record of its profile says so.
    return isinstance(getattr(plan.lever.variants, variant), PythonVariant)


def _effect_findings(
    plan: Plan, samples: SampleSet, primary: ScenarioResult, guards: Sequence[GuardResult]
) -> Iterator[Finding]:
    yield from _bias_findings(primary)
    yield from _noise_findings(primary)
    yield _speedup_finding(plan, primary)
    yield from _outside_clock_findings(samples, primary)
    for guard in guards:
        yield _guard_finding(guard)


def _bias_findings(result: ScenarioResult) -> Iterator[Finding]:
    control = result.control
    if control.low is not None and control.high is not None and (control.low > 1 or control.high < 1):
        text = f"two copies of the baseline differ: {interval_text(control)}; this run is biased"
        yield _undecided("control-significant", _where(result) + text)


def _noise_findings(primary: ScenarioResult) -> Iterator[Finding]:
    control, speedup = primary.control, primary.speedup
    if control.low is None or control.high is None or speedup.low is None:
        return
    floor = max(stats.exact(control.high), 1 / stats.exact(control.low))
    if 1 < stats.exact(speedup.low) <= floor:
        yield _undecided(
            "within-noise",
            f"the gain {interval_text(speedup)} is not above the A/A control {interval_text(control)}",
        )


def _where(result: ScenarioResult) -> str:
    """What is said without a name is said of the primary scenario."""
    return "" if result.primary else f"{result.scenario}: "


def _speedup_finding(plan: Plan, primary: ScenarioResult) -> Finding:
    speedup, gain = primary.speedup, plan.rule.min_gain_percent
    text = _effect_text(primary)
    if speedup.low is None or speedup.high is None:
        return _undecided("too-few-invocations", f"{text}: {_too_few(plan, primary)}")
    threshold = 1 + stats.exact(gain) / 100
    if stats.exact(speedup.low) > threshold:
        return _supports("faster", text)
    if speedup.high < 1:
        return _reject("slower", text)
    if stats.exact(speedup.high) < threshold:
        return _reject("no-gain", f"{text}: a gain of {gain:g} % or more is excluded")
    return _undecided(
        "gain-undecided",
        f"{text}: this run could resolve {primary.resolvable_percent:g} %; measure at a higher effort",
    )


def _effect_text(result: ScenarioResult) -> str:
    return f"{result.scenario}: {interval_text(result.speedup)} at {result.confidence:.0%} confidence"


def _too_few(plan: Plan, result: ScenarioResult) -> str:
    needed = plan.rule.min_invocations
    return f"{result.invocations} invocations; an interval needs {needed}: measure at a higher effort"


def _outside_clock_findings(samples: SampleSet, result: ScenarioResult) -> Iterator[Finding]:
    if not _shows_a_saving(result):
        return
    for code, message, certain in unseen_savings(figures.counted(samples, result.scenario)):
        text = _where(result) + message
        yield _reject(code, text) if certain else _undecided(code, text)


def _shows_a_saving(result: ScenarioResult) -> bool:
    return result.speedup.low is not None and result.speedup.low > 1


def _stratum_findings(
    plan: Plan, samples: SampleSet, stratum: StratumResult, result: ScenarioResult | None
) -> Iterator[Finding]:
    if result is None:
        yield _undecided("stratum-undecided", f"{stratum.scenario}: must hold, but has no samples that count")
        return
    yield _stratum_finding(plan, stratum, result)
    if not result.primary:
        yield from _bias_findings(result)
        yield from _stratum_clock_findings(samples, stratum, result)


def _stratum_clock_findings(samples: SampleSet, stratum: StratumResult, result: ScenarioResult) -> Iterator[Finding]:
    """A saving that is certainly not seen from outside; where there is none, a loss that is only seen there.

    A stratum need not gain: a saving of which noise, or what the variants take to end, may hide a part from an outer
    clock is no objection. What such a part may come to is no more than what a hidden loss may.
    """
    invocations = figures.counted(samples, result.scenario)
    if _shows_a_saving(result):
        for code, message, certain in unseen_savings(invocations):
            if certain:
                yield _reject(code, _where(result) + message)
    elif stratum.state == "holds":
        for code, message, _ in unseen_losses(invocations, stratum.margin_percent):
            yield _undecided(code, _where(result) + message)


def _stratum_finding(plan: Plan, stratum: StratumResult, result: ScenarioResult) -> Finding:
    text = f"{_effect_text(result)}, may be slower by {stratum.margin_percent:g} %"
    if stratum.worst_percent is None:
        return _undecided("stratum-undecided", f"{text}: {_too_few(plan, result)}")
    if stratum.state == "violated":
        return _reject("stratum-slower", f"{text}: it is slower by more than that")
    text = f"{text}, worst case {_worst_text(stratum.margin_percent, stratum.worst_percent)}"
    if stratum.state == "holds":
        return _supports("stratum-holds", text)
    resolved = f"this run could resolve {result.resolvable_percent:g} %"
    return _undecided("stratum-undecided", f"{text}: {resolved}; measure at a higher effort")


def _guard_finding(guard: GuardResult) -> Finding:
    limit, worst = guard.max_regression_percent, guard.worst_percent
    shown = "not known" if worst is None else _worst_text(limit, worst)
    text = f"{guard.metric}: may get worse by {limit:g} %, worst case {shown}"
    if guard.state == "violated":
        return _reject("guard-violated", text)
    if guard.state == "undecided":
        return _undecided("guard-undecided", f"{text}: measure at a higher effort")
    return _supports("guard-holds", text)


def _worst_text(limit: float, worst: float) -> str:
    return f"{worst:+.{limits.places_beside(limit, worst)}f} %"


def _claim(plan: Plan, primary: ScenarioResult | None) -> ClaimWord:
    if primary is None or primary.speedup.low is None or primary.speedup.high is None:
        return "undecided"
    expected = plan.rule.expected_speedup[0]
    if primary.speedup.low >= expected:
        return "met"
    return "not-met" if primary.speedup.high < expected else "undecided"


def interval_text(value: Estimate) -> str:
    """`7.31x [7.02, 7.60]`, or the estimate alone where there is no interval."""
    bounds = "" if value.low is None or value.high is None else f" [{value.low:.3f}, {value.high:.3f}]"
    return f"{value.estimate:.3f}x{bounds}"
