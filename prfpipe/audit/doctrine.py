"""The doctrine's invariants over one bundle.

An adopted lever must meet them all. A run that ended otherwise may lack evidence, if it says so itself: then
the audit notes it and goes on.
"""

from collections.abc import Callable, Iterator

from prfpipe import doctrine, layout
from prfpipe.audit.bundle import HINT, Bundle
from prfpipe.errors import TamperError
from prfpipe.models import DecisionRule, ProfileRecord, ProofRecord
from prfpipe.plan import make_rule, planned_scenarios
from prfpipe.proof_rules import failures
from prfpipe.stats import exact


class Noted(Exception):  # noqa: N818 - not an error: the check neither holds nor fails
    """What an audit says without refusing."""


def rule_of_effort(bundle: Bundle) -> str:
    """Whether the rule is the one that this version makes for lever and effort; nobody may choose it."""
    plan, usual = bundle.plan, make_rule(bundle.plan.lever, bundle.plan.effort)
    if plan.rule == usual:
        return f"alpha {plan.rule.alpha:g}, {plan.rule.seconds:g} s, as for every {plan.effort} run"
    if bundle.made_by_this_version:
        raise TamperError("the rule was chosen for this run: it is not that of the effort", hint=HINT)
    # Which version made a bundle is the bundle's own word: it must not buy a weaker rule.
    if _is_weaker(plan.rule, usual):
        raise TamperError(f"the rule allows more error than any {plan.effort} run may", hint=HINT)
    raise Noted(f"made by prfpipe {bundle.made_by!a}, whose rules this version does not know")


def _is_weaker(rule: DecisionRule, usual: DecisionRule) -> bool:
    weights = [exact(weight) for weight in rule.look_weights]
    more_error = rule.alpha > usual.alpha or min(weights) < 0 or sum(weights) > 1
    return more_error or rule.tail_confidence < usual.tail_confidence


def artifacts(bundle: Bundle) -> str:
    """INV-PRF-ARTIFACTS: every file of ART-01..05 is there and holds each field that the doctrine lists."""
    lacking = layout.missing_files(bundle.plan, bundle.files)
    names = {name for missing in lacking.values() for name in missing}
    cannot = names & layout.unobtainable_files(bundle.plan)
    wrong = [f"{name} is missing" for name in sorted(names - cannot)]
    wrong += [f"{artifact}: no {field}" for artifact, field in _lacking_fields(bundle, set(lacking))]
    _judge(bundle, wrong)
    if cannot:
        raise Noted(f"this lever cannot be profiled in full: {len(cannot)} files of ART-02 cannot be had")
    return f"{len(doctrine.ARTIFACTS)} artifacts, {sum(len(item.fields) for item in doctrine.ARTIFACTS)} fields"


def profiled(bundle: Bundle) -> str:
    """INV-PRF-PROFILED: profiles of both variants, and the primary scenario measured on both."""
    seen = {profile.variant for profile in bundle.profiles if profile.cpu}
    wrong = [f"no CPU profile of the {name}" for name in ("baseline", "candidate") if name not in seen]
    if layout.unobtainable_files(bundle.plan) & set(layout.REQUIRED["ART-02"]):
        wrong = []
    if not any(result.primary for result in bundle.verdict.scenarios):
        wrong.append("the primary scenario was not compared")
    _judge(bundle, wrong)
    return f"profiles of {', '.join(sorted(seen)) or 'no variant, as none is Python'}"


def compatible(bundle: Bundle) -> str:
    """INV-PRF-COMPAT: both proofs hold for every planned scenario and mutant, and are of the tree that was measured."""
    wrong, planned = [], {item.name for item in planned_scenarios(bundle.plan)}
    mutants = {item.name for item in bundle.plan.lever.mutants}
    for stage in ("prove", "verify"):
        proof = next((item for item in bundle.proofs if item.stage == stage), None)
        if proof is None or failures(proof):
            wrong.append(f"stage {stage} shows no correctness")
        elif proof.tree_digest != bundle.tree.digest:
            wrong.append(f"stage {stage} is of another tree")
        elif missed := planned - {item.scenario for item in proof.lockstep if item.against == "candidate"}:
            wrong.append(f"stage {stage} compared nothing in {', '.join(sorted(missed))}")
        elif stage == "prove" and (untried := mutants - {item.mutant for item in proof.mutants}):
            wrong.append(f"stage prove did not try {', '.join(sorted(untried))}")
    _judge(bundle, wrong)
    return f"proven before and after, tree {bundle.tree.digest[:12]}"


def _judge(bundle: Bundle, wrong: list[str]) -> None:
    if not wrong:
        return
    text = "; ".join(wrong[:3])
    if bundle.verdict.verdict == "adopt":
        raise TamperError(f"adopted, although {text}", hint=HINT)
    raise Noted(f"{text}: the verdict is {bundle.verdict.verdict}, which does not need it")


def _lacking_fields(bundle: Bundle, without_files: set[str]) -> Iterator[tuple[str, str]]:
    for artifact in doctrine.ARTIFACTS:
        if artifact.id not in without_files:
            holds = _HOLDS[artifact.id]
            yield from ((artifact.id, field) for field in artifact.fields if not holds(bundle, field))


def _art_01(bundle: Bundle, field: str) -> bool:
    source, host = bundle.plan.provenance, bundle.plan.host
    told = {
        "hardware and environment": host.cpu_model and host.os and host.kernel and host.python,
        "command to reproduce": source.command,
        "timestamp": source.created_at,
        "git commit": source.git_commit,
    }
    # The figures are fields of records that cannot be without them, one record a scenario.
    return bool(told.get(field, bundle.baseline_samples.schedules))


def _art_02(bundle: Bundle, field: str) -> bool:
    if field == "flamegraph":
        names = [layout.profile_file(side, "cpu.svg") for side in layout.VARIANTS]
        return all(b"<svg" in bundle.file(name)[:4096] for name in names)
    if field == "allocation profile":
        return "memray" not in bundle.plan.lever.profiles or all(item.allocations for item in bundle.profiles)
    return all(_has_hotspots(profile) for profile in bundle.profiles)


def _has_hotspots(profile: ProfileRecord) -> bool:
    return bool(profile.cpu and profile.cpu.hotspots)


def _art_03(bundle: Bundle, field: str) -> bool:
    results = bundle.verdict.scenarios
    gains = {"p95", "p99", "throughput", "peak_rss", "cold_start"}
    if field == "improvement in percent":
        return all(result.gains.keys() >= gains for result in results) and bool(results)
    return all(result.arms.keys() >= {"baseline", "candidate"} for result in results) and bool(results)


def _art_04(bundle: Bundle, field: str) -> bool:
    prove, verify = bundle.proof("prove"), bundle.proof("verify")
    if prove is None or verify is None:
        return False
    told: dict[str, bool] = {
        "conformance before and after": _both_sides(prove) and _both_sides(verify),
        "lockstep comparison": bool(prove.lockstep and verify.lockstep),
        "edge-case coverage of the optimized path": bool(prove.coverage or prove.coverage_reason),
    }
    return told[field]


def _both_sides(proof: ProofRecord) -> bool:
    return {result.variant for result in proof.conformance} == {"baseline", "candidate"}


def _art_05(bundle: Bundle, field: str) -> bool:
    # The note itself always says whether a justification is needed and which was given.
    return all("p99" in result.gains for result in bundle.verdict.scenarios) and layout.TAIL in bundle.files


_HOLDS: dict[str, Callable[[Bundle, str], bool]] = {
    "ART-01": _art_01,
    "ART-02": _art_02,
    "ART-03": _art_03,
    "ART-04": _art_04,
    "ART-05": _art_05,
}
