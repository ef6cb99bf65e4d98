"""decide(plan, samples, proofs, profiles, tree) -> Verdict: the same function for producer and auditor. Pure.

Each rule adds reasons; a reason of kind `reject` outweighs one of kind `undecided`, and both outweigh the gain.
What cannot be shown is undecided.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from prfpipe import figures, stats
from prfpipe.clocks import unseen_savings
from prfpipe.models import (
    ClaimWord,
    Estimate,
    Guard,
    GuardResult,
    Invocation,
    Plan,
    ProfileRecord,
    ProofRecord,
    PythonVariant,
    Reason,
    SampleSet,
    ScenarioResult,
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
    guards = tuple(_guard_result(guard, primary) for guard in plan.rule.guards)
    findings = [
        *_proof_findings(proofs, tree),
        *_output_findings(samples),
        *_profile_findings(plan, profiles, primary),
        *(_effect_findings(plan, samples, primary, guards) if primary else [_nothing_measured(plan)]),
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
    results = []
    for schedule in samples.schedules:
        invocations = figures.counted(samples, schedule.scenario)
        if not invocations:
            continue
        if schedule.scenario == plan.lever.primary.name:
            looks, count = primary_looks(plan, invocations)
        else:
            looks, count = 1, figures.single_look(plan, len(invocations))[0]
        confidence = float(1 - stats.exact(plan.rule.alpha))
        results.append(
            figures.scenario_result(plan, schedule, invocations, looks=looks, count=count, confidence=confidence)
        )
    return tuple(results)


def primary_looks(plan: Plan, invocations: Sequence[Invocation]) -> tuple[int, int]:
    """How often the primary scenario has been looked at, and the critical count of the last look."""
    sizes, released = looks(plan, invocations)
    if not sizes or sizes[-1] < len(invocations):
        return len(sizes), 0
    return len(sizes), stats.critical_counts(sizes, stats.exact(plan.rule.alpha), released)[-1]


def looks(plan: Plan, invocations: Sequence[Invocation]) -> tuple[list[int], list[Fraction]]:
    """The looks that the plan allows up to now: invocations at each, and the share of alpha released by it.

    A look comes with the first invocation that ends after a planned share of the time; the last one also waits for
    the smallest useful number of invocations. Under the null, time does not depend on which arm is which, so that
    looks by time keep the test exact.
    """
    rule, sizes, released = plan.rule, [], []
    pending = list(zip(rule.look_fractions, rule.look_weights, strict=True))
    total = Fraction(0)
    for n, invocation in enumerate(invocations, start=1):
        before = len(pending)
        while pending and _due(plan, n, invocation.elapsed_ns, pending[0][0], last=len(pending) == 1):
            total += stats.exact(pending.pop(0)[1])
        if len(pending) < before:
            sizes.append(n)
            released.append(total)
    return sizes, released


def _due(plan: Plan, n: int, elapsed_ns: int, fraction: float, *, last: bool) -> bool:
    rule = plan.rule
    if n >= rule.max_invocations:
        return True
    in_time = elapsed_ns >= stats.exact(fraction) * stats.exact(rule.seconds) * 1_000_000_000
    return in_time and (not last or n >= rule.min_invocations)


def primary_is_enough(plan: Plan, samples: SampleSet) -> bool:
    """Whether the primary scenario can stop: the question is decided, outputs differ, or the cap is reached."""
    invocations = figures.counted(samples, plan.lever.primary.name)
    if not invocations:
        return False
    if list(_output_findings(samples)):
        return True
    sizes, _ = looks(plan, invocations)
    if not sizes or sizes[-1] < len(invocations):
        return False
    return len(invocations) >= plan.rule.max_invocations or _capped(plan, invocations) or _decided(plan, samples)


def _capped(plan: Plan, invocations: Sequence[Invocation]) -> bool:
    last = invocations[-1]
    return _due(plan, len(invocations), last.elapsed_ns, plan.rule.look_fractions[-1], last=True)


def _decided(plan: Plan, samples: SampleSet) -> bool:
    primary = next(result for result in scenario_results(plan, samples) if result.primary)
    threshold = 1 + stats.exact(plan.rule.min_gain_percent) / 100
    low, high = primary.speedup.low, primary.speedup.high
    if low is None or high is None:
        return False
    if stats.exact(high) < threshold:
        return True
    guards = [_guard_result(guard, primary) for guard in plan.rule.guards]
    if any(guard.state == "violated" for guard in guards):
        return True
    open_guard = any(guard.state == "undecided" for guard in guards)
    return stats.exact(low) > threshold and not open_guard and _claim(plan, primary) != "undecided"


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


def _output_findings(samples: SampleSet) -> Iterator[Finding]:
    for item in samples.invocations:
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
    yield from _control_findings(primary)
    yield _speedup_finding(plan, primary)
    yield from _outside_clock_findings(samples, primary)
    for guard in guards:
        yield _guard_finding(guard)


def _control_findings(primary: ScenarioResult) -> Iterator[Finding]:
    control, speedup = primary.control, primary.speedup
    if control.low is None or control.high is None or speedup.low is None:
        return
    if control.low > 1 or control.high < 1:
        yield _undecided(
            "control-significant",
            f"two copies of the baseline differ: {interval_text(control)}; this run is biased",
        )
    floor = max(stats.exact(control.high), 1 / stats.exact(control.low))
    if 1 < stats.exact(speedup.low) <= floor:
        yield _undecided(
            "within-noise",
            f"the gain {interval_text(speedup)} is not above the A/A control {interval_text(control)}",
        )


def _speedup_finding(plan: Plan, primary: ScenarioResult) -> Finding:
    speedup, gain = primary.speedup, plan.rule.min_gain_percent
    text = f"{primary.scenario}: {interval_text(speedup)} at {primary.confidence:.0%} confidence"
    if speedup.low is None or speedup.high is None:
        return _undecided(
            "too-few-invocations",
            f"{text}: {primary.invocations} invocations; an interval needs {plan.rule.min_invocations}: "
            "measure at a higher effort",
        )
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


def _outside_clock_findings(samples: SampleSet, primary: ScenarioResult) -> Iterator[Finding]:
    if primary.speedup.low is None or primary.speedup.low <= 1:
        return
    for code, message, certain in unseen_savings(figures.counted(samples, primary.scenario)):
        yield _reject(code, message) if certain else _undecided(code, message)


def _guard_result(guard: Guard, primary: ScenarioResult | None) -> GuardResult:
    gain = primary.gains[guard.metric] if primary else None
    limit = stats.exact(guard.max_regression_percent) / 100
    floor = 1 - limit if guard.metric == "throughput" else 1 / (1 + limit)
    state: Literal["holds", "violated", "undecided"] = "undecided"
    worst = None
    if gain and gain.low is not None and gain.high is not None:
        if stats.exact(gain.low) >= floor:
            state = "holds"
        elif stats.exact(gain.high) < floor:
            state = "violated"
        worst = stats.decimal(stats.fixed(100 * (1 / max(stats.exact(gain.low), Fraction(1, 10**6)) - 1)), 3)
    return GuardResult(
        metric=guard.metric,
        state=state,
        max_regression_percent=guard.max_regression_percent,
        worst_percent=worst,
    )


def _guard_finding(guard: GuardResult) -> Finding:
    worst = "not known" if guard.worst_percent is None else f"{guard.worst_percent:+.1f} %"
    text = f"{guard.metric}: may get worse by {guard.max_regression_percent:g} %, worst case {worst}"
    if guard.state == "violated":
        return _reject("guard-violated", text)
    if guard.state == "undecided":
        return _undecided("guard-undecided", f"{text}: measure at a higher effort")
    return _supports("guard-holds", text)


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
