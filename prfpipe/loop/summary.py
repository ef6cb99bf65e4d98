"""What a finished stage found, in one line, read back from the run folder: for logs."""

from collections.abc import Callable, Iterable, Mapping

from prfpipe import figures, layout
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.derive import sentence
from prfpipe.artifacts.names import clean
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError
from prfpipe.loop.closing import verdict_of
from prfpipe.loop.context import RunContext
from prfpipe.loop.measuring import samples_of
from prfpipe.models import Arm, ArmSummary, CpuProfile, Estimate, ProofRecord, ScenarioResult
from prfpipe.plan import planned_scenarios
from prfpipe.proof_rules import failures
from prfpipe.verdict import scenario_results

_UNREADABLE = "Resume the run: a stage that is not finished is done again."


def stage_summary(context: RunContext, stage: Stage) -> str:
    """One line about a finished stage of a run, without control characters.

    Raises:
        BundleError: the stage has left no record to read.
    """
    return clean(_SUMMARIES[stage](context), 1000)


def _plan(context: RunContext) -> str:
    plan = context.plan
    return (
        f"run {plan.run_id}: {plan.effort} effort, {_count(len(planned_scenarios(plan)), 'scenario')}, "
        f"on CPU {plan.host.measuring_cpu} of {plan.host.name}, noise {plan.noise.spread_percent:g} %"
    )


def _baseline(context: RunContext) -> str:
    results = figures.baseline_results(context.plan, samples_of(context, Stage.BASELINE))
    invocations = sum(result.invocations for result in results)
    primary = next(result for result in results if result.primary)
    return (
        f"{_count(invocations, 'invocation')}; {primary.scenario} p50 "
        f"{_show(primary.arms['baseline'].p50_ns, fmt.DURATION)}, A/A control {_ratio(primary.control)}"
    )


def _profile(context: RunContext) -> str:
    profiles = layout.read_profiles(context.folder.contents())
    baseline = next((item for item in profiles if item.variant == "baseline"), None)
    if baseline is None:
        raise BundleError("the baseline's profile is missing", hint=_UNREADABLE)
    memory = baseline.allocations
    parts = [_cpu(baseline.cpu)] if baseline.cpu else []
    parts += [f"allocation peak {fmt.show(memory.peak_bytes, fmt.BYTES)}"] if memory else []
    return "; ".join(parts or baseline.notes) or "no profile was asked for"


def _cpu(profile: CpuProfile) -> str:
    bound = profile.amdahl_speedup
    limit = "" if bound is None else f", which allows {fmt.show(bound, fmt.RATIO)} at most"
    share = fmt.show_share(profile.target_percent)
    return f"{_count(profile.samples, 'sample')}; the targets hold {share} of the time{limit}"


def _proof(stage: str) -> Callable[[RunContext], str]:
    def summary(context: RunContext) -> str:
        proofs = layout.read_proofs(context.folder.contents())
        proof = next((item for item in proofs if item.stage == stage), None)
        if proof is None:
            raise BundleError(f"the proof of stage {stage} is missing", hint=_UNREADABLE)
        return _proof_line(proof)

    return summary


def _proof_line(proof: ProofRecord) -> str:
    cases = [case for result in proof.conformance for case in result.cases]
    cases += proof.edge_cases
    operations = sum(case.operations for case in cases) + sum(item.operations for item in proof.lockstep)
    tried = [bad for bad in proof.self_test if bad.tried]
    parts = [
        _count(len(cases), "case"),
        _count(operations, "operation"),
        f"{sum(bad.caught for bad in tried)} of {_count(len(tried), 'kind')} of known-bad output caught",
    ]
    if proof.mutants:
        parts.append(f"{sum(bug.caught for bug in proof.mutants)} of {_count(len(proof.mutants), 'mutant')} caught")
    against = failures(proof)
    return f"{', '.join(parts)}; {against[0].message if against else 'nothing differs'}"


def _implement(context: RunContext) -> str:
    tree = layout.read_tree(context.folder.contents())
    if tree is None:
        raise BundleError(f"{layout.TREE} is missing", hint=_UNREADABLE)
    return f"{_files(tree.changed_files)} changed{_outside(tree.outside_path)}; tree {tree.digest[:12]}"


def _outside(files: tuple[str, ...]) -> str:
    return f", {_files(files)} outside the optimized path" if files else ", all in the optimized path"


def _reprofile(context: RunContext) -> str:
    results = scenario_results(context.plan, samples_of(context, Stage.REPROFILE))
    primary = next((result for result in results if result.primary), None)
    if primary is None:
        return "no scenario was compared"
    invocations = sum(result.invocations for result in results)
    return (
        f"{_count(invocations, 'invocation')}; {primary.scenario} p50 {_p50s(primary.arms)}: "
        f"speed-up {_ratio(primary.speedup)}, A/A control {_ratio(primary.control)}{_strata(results)}"
    )


def _strata(results: Iterable[ScenarioResult]) -> str:
    shown = [f"{item.scenario} {_ratio(item.speedup)}" for item in results if item.must_hold and not item.primary]
    return f"; strata: {', '.join(shown)}" if shown else ""


def _p50s(arms: Mapping[Arm, ArmSummary]) -> str:
    before, after = (fmt.show(arms[arm].p50_ns.estimate, fmt.DURATION) for arm in layout.VARIANTS)
    return f"{before} before, {after} after"


def _decide(context: RunContext) -> str:
    return sentence(verdict_of(context))


def _ratio(estimate: Estimate) -> str:
    return _show(estimate, fmt.RATIO)


def _show(estimate: Estimate, unit: fmt.Unit) -> str:
    no_interval = estimate.low is None and estimate.high is None
    return fmt.show_point(estimate, unit) if no_interval else fmt.show_estimate(estimate, unit)


def _count(number: int, what: str) -> str:
    return f"{fmt.show_count(number)} {what}{'' if number == 1 else 's'}"


def _files(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed) if 0 < len(listed) <= 3 else _count(len(listed), "file")


_SUMMARIES: Mapping[Stage, Callable[[RunContext], str]] = {
    Stage.PLAN: _plan,
    Stage.BASELINE: _baseline,
    Stage.PROFILE: _profile,
    Stage.PROVE: _proof("prove"),
    Stage.IMPLEMENT: _implement,
    Stage.VERIFY: _proof("verify"),
    Stage.REPROFILE: _reprofile,
    Stage.DECIDE: _decide,
}
