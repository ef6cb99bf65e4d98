"""Every check of an audit, in order. A check returns what it found, or raises what is wrong.

Bytes come first: what is not as it was sealed is not looked into any further.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from prfpipe import figures, layout
from prfpipe.artifacts.art01 import baseline_report
from prfpipe.artifacts.art03 import comparison
from prfpipe.artifacts.art04 import proof_notes
from prfpipe.artifacts.art05 import tail_notes
from prfpipe.attest import SealFacts, predicate_for
from prfpipe.audit import doctrine, samples
from prfpipe.audit.bundle import HINT, Bundle
from prfpipe.audit.doctrine import Noted
from prfpipe.audit.gaps import BUNDLE, GAPS, Gap
from prfpipe.audit.report import UNSIGNED, AuditReport, Check
from prfpipe.bundle import read_tree
from prfpipe.digests import sha256_hex, sha256_tree
from prfpipe.doctrine import Stage
from prfpipe.errors import PrfpipeError, TamperError
from prfpipe.events import events_bytes, events_for, read_events
from prfpipe.runlog import claims

_MAX_PROBLEMS = 3
# What broken records make pure functions raise: a refusal, never a traceback.
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)
_META = re.compile(rb'<meta name="(prfpipe-[a-z0-9-]+)" content="([^"<>]*)">')


@dataclass(frozen=True, slots=True)
class _Spec:
    id: str
    title: str
    run: Callable[[Bundle], str]
    needs: tuple[str, ...] = ()


def audit(folder: Path) -> AuditReport:
    """Audit the bundle in a folder.

    Raises:
        InputError: there is no such folder.
    """
    try:
        files = read_tree(folder)
    except TamperError as error:
        check = Check(id="readable", title="Only plain files", result="fails", detail=error.message)
        return _report(None, (check,))
    return audit_files(files)


def audit_files(files: Mapping[str, bytes]) -> AuditReport:
    """Audit a bundle given as its files' bytes by name. Pure: no clock, no file, no network."""
    return _audit(Bundle(files))


def examine_files(files: Mapping[str, bytes]) -> tuple[AuditReport, dict[str, tuple[Gap, ...]]]:
    """Audit a bundle, and say what it lacks of each invariant; those that the audit did not reach are left out.

    An audit takes what a run itself says it could not have; here it is a gap all the same.
    """
    bundle = Bundle(files)
    report = _audit(bundle)
    reached = (check for check in report.checks if check.id in GAPS and check.result != "skipped")
    return report, {check.id: _gaps(bundle, check) for check in reached}


def _gaps(bundle: Bundle, check: Check) -> tuple[Gap, ...]:
    try:
        return tuple(GAPS[check.id](bundle))
    except (PrfpipeError, *_BROKEN):
        return (Gap(clause=BUNDLE, missing=check.detail),)


def _audit(bundle: Bundle) -> AuditReport:
    done: dict[str, Check] = {}
    for spec in CHECKS:
        blocked = [need for need in spec.needs if done[need].result in ("fails", "skipped")]
        done[spec.id] = _skipped(spec, blocked[0]) if blocked else _run(spec, bundle)
    return _report(bundle, tuple(done.values()))


def _run(spec: _Spec, bundle: Bundle) -> Check:
    try:
        detail = spec.run(bundle)
    except Noted as noted:
        return Check(id=spec.id, title=spec.title, result="noted", detail=str(noted))
    except PrfpipeError as error:
        return Check(id=spec.id, title=spec.title, result="fails", detail=error.message)
    except _BROKEN as error:
        detail = f"cannot be derived: {type(error).__name__}: {error!a}"
        return Check(id=spec.id, title=spec.title, result="fails", detail=detail)
    return Check(id=spec.id, title=spec.title, result="holds", detail=detail)


def _skipped(spec: _Spec, because: str) -> Check:
    return Check(id=spec.id, title=spec.title, result="skipped", detail=f"cannot be told: {because} fails")


def _report(bundle: Bundle | None, checks: tuple[Check, ...]) -> AuditReport:
    accepted = all(check.result in ("holds", "noted") for check in checks)
    told = bundle.verdict if bundle and accepted else None
    return AuditReport(
        accepted=accepted,
        run_id=told.run_id if told else None,
        lever=told.lever if told else None,
        verdict=told.verdict if told else None,
        claim=told.claim if told else None,
        signature=UNSIGNED,
        checks=checks,
    )


def _refuse(what: str) -> TamperError:
    return TamperError(what, hint=HINT)


# ---- bytes ----------------------------------------------------------------------------------------------


def _statement(bundle: Bundle) -> str:
    return f"lists {len(bundle.statement.files)} files"


def _files(bundle: Bundle) -> str:
    listed, found = bundle.statement.files.keys(), bundle.digests.keys()
    if missing := sorted(listed - found):
        raise _refuse(f"missing: {_some(missing)}")
    if extra := sorted(found - listed):
        raise _refuse(f"not listed: {_some(extra)}")
    if lacking := sorted(set(layout.ALWAYS) - bundle.files.keys()):
        raise _refuse(f"no bundle is without {_some(lacking)}")
    return f"{len(found)} files, no more and no fewer"


def _digests(bundle: Bundle) -> str:
    listed = bundle.statement.files
    if changed := [name for name, digest in bundle.digests.items() if listed[name] != digest]:
        raise _refuse(f"changed: {_some(changed)}")
    return f"{sum(digest.size for digest in listed.values())} bytes"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_PROBLEMS} more" if len(names) > _MAX_PROBLEMS else ""
    return ", ".join(names[:_MAX_PROBLEMS]) + more


# ---- plan and journal -----------------------------------------------------------------------------------


def _plan(bundle: Bundle) -> str:
    plan = bundle.plan
    if sha256_tree(plan.source_files) != plan.source_digest:
        raise _refuse("its source digest is not that of its source files")
    if plan.run_id.split("-", 1)[1].rpartition("-")[0] != plan.lever.id.lower():
        raise _refuse(f"run {plan.run_id} is not one of {plan.lever.id}")
    rule, lever = plan.rule, plan.lever
    if (rule.min_gain_percent, rule.expected_speedup, rule.guards) != (
        lever.min_gain_percent,
        lever.expected_speedup,
        lever.guards,
    ) or (rule.must_hold, rule.non_inferiority_percent) != (lever.strata, lever.non_inferiority_percent):
        raise _refuse("its decision rule has other thresholds than its lever")
    return f"{plan.lever.id} at {plan.effort} effort, source {plan.source_digest[:12]}"


def _journal(bundle: Bundle) -> str:
    finished = [step.stage for step in bundle.steps if step.status == "finished"]
    wanted = [stage for stage in Stage if stage is not Stage.ARCHIVE]
    if finished != wanted:
        raise _refuse(f"finished stages are {', '.join(finished) or 'none'}")
    claimed = claims(bundle.steps)
    found = {name: digest for name, digest in bundle.digests.items() if name != layout.RUNLOG}
    if wrong := sorted(name for name in claimed.keys() | found.keys() if claimed.get(name) != found.get(name)):
        raise _refuse(f"not as a stage left it: {_some(wrong)}")
    return f"{len(bundle.steps)} steps in one chain; every file is as its stage left it"


def _plan_first(bundle: Bundle) -> str:
    by_stage = {step.stage: step for step in bundle.steps if step.status == "finished"}
    if set(by_stage[Stage.PLAN].files) != {layout.PLAN, layout.PLAN_SEAL}:
        raise _refuse("stage plan left something else than the plan and its seal")
    for stage, name in layout.SAMPLES.items():
        if name not in by_stage[stage].files:
            raise _refuse(f"{name} does not come from stage {stage}")
    if layout.VERDICT not in by_stage[Stage.DECIDE].files:
        raise _refuse(f"{layout.VERDICT} does not come from stage decide")
    frozen = datetime.fromisoformat(by_stage[Stage.PLAN].time)
    if datetime.fromisoformat(bundle.plan.provenance.created_at) > frozen + samples.CLOCK_STEP:
        raise _refuse("the plan says that it was made after it was frozen")
    return f"frozen at {by_stage[Stage.PLAN].time}, before anything was measured"


def _agrees(bundle: Bundle) -> str:
    told, time = bundle.statement.predicate, bundle.steps[-1].time
    # Where it stands in its chain and what its store guarantees does not follow from the bundle's files.
    facts = SealFacts(time, told.store, told.sequence, told.previous)
    measured = {Stage.BASELINE: bundle.baseline_samples, Stage.REPROFILE: bundle.comparison_samples}
    if told != predicate_for(bundle.digests, bundle.plan, bundle.claimed_verdict, measured, facts):
        raise _refuse("it says something else about the run than the run's own files")
    return f"sealed after {time} on host {told.host.name!a} by prfpipe {told.prfpipe!a}"


# ---- derived again --------------------------------------------------------------------------------------


def _samples(stage: samples.MeasuringStage) -> Callable[[Bundle], str]:
    def run(bundle: Bundle) -> str:
        if wrong := list(islice(samples.problems(bundle, stage), _MAX_PROBLEMS)):
            raise _refuse("; ".join(wrong))
        found = bundle.samples(stage)
        count = sum(len(arm.samples_ns) for item in found.invocations for arm in item.arms.values())
        return f"{len(found.invocations)} invocations, {count} samples{_measured_again(bundle, stage)}"

    return run


def _measured_again(bundle: Bundle, stage: Stage) -> str:
    kept = sum(layout.interrupted_samples(stage, number) in bundle.files for number in range(1, len(bundle.files)))
    return f"; measured anew after {kept} interrupted sets, which do not count" if kept else ""


def _tree(bundle: Bundle) -> str:
    if sha256_tree(bundle.tree.files) != bundle.tree.digest:
        raise _refuse("its digest is not that of its files")
    if bundle.tree.files != bundle.plan.source_files:
        raise _refuse("it is not the lever folder that the plan froze")
    allowed = layout.optimized_files(bundle.plan.lever)
    outside = [name for name in bundle.tree.changed_files if name not in allowed]
    if outside != list(bundle.tree.outside_path):
        raise _refuse("it does not say rightly which changes lie outside of the optimized path")
    return bundle.tree.digest[:12]


def _verdict(bundle: Bundle) -> str:
    if layout.encode(bundle.verdict) != bundle.file(layout.VERDICT):
        word = bundle.claimed_verdict.verdict
        raise _refuse(f"{layout.VERDICT} says {word}, not what the samples give ({bundle.verdict.verdict})")
    return f"{bundle.verdict.verdict}, claim {bundle.verdict.claim}: the same bytes"


def _same(derive: Callable[[Bundle], Mapping[str, bytes]]) -> Callable[[Bundle], str]:
    def run(bundle: Bundle) -> str:
        derived = derive(bundle)
        wrong = [name for name, data in derived.items() if bundle.file(name) != data]
        if wrong and (bundle.made_by_this_version or not all(name.endswith(".md") for name in wrong)):
            raise _refuse(f"not what the records give: {_some(wrong)}")
        if wrong:
            raise Noted(f"{_some(wrong)}: worded by prfpipe {bundle.made_by!a}, in other words than this version's")
        return f"{', '.join(derived)}: the same bytes"

    return run


def _baseline_report(bundle: Bundle) -> Mapping[str, bytes]:
    found = bundle.baseline_samples
    return baseline_report(bundle.plan, figures.baseline_results(bundle.plan, found), found)


def _comparison(bundle: Bundle) -> Mapping[str, bytes]:
    # Wording may differ between versions; the verdict's own word may not.
    if f"Verdict: {bundle.verdict.verdict}\n".encode() not in bundle.file(layout.COMPARISON_TEXT):
        raise _refuse(f"{layout.COMPARISON_TEXT} does not say {bundle.verdict.verdict}")
    return {**comparison(bundle.plan, bundle.verdict), **tail_notes(bundle.plan, bundle.verdict)}


def _proof_text(bundle: Bundle) -> Mapping[str, bytes]:
    prove = bundle.proof("prove")
    return proof_notes(bundle.plan, prove, bundle.proof("verify")) if prove else {}


def _page(bundle: Bundle) -> str:
    told = _META.findall(bundle.file(layout.REPORT))
    wanted = {
        b"prfpipe-verdict": bundle.verdict.verdict.encode(),
        b"prfpipe-claim": bundle.verdict.claim.encode(),
        b"prfpipe-run": bundle.plan.run_id.encode(),
        b"prfpipe-verdict-sha256": sha256_hex(bundle.file(layout.VERDICT)).encode(),
    }
    if sorted(told) != sorted(wanted.items()):
        raise _refuse(f"{layout.REPORT} is the report of another verdict")
    return f"{layout.REPORT} names this verdict"


def _events(bundle: Bundle) -> str:
    data = bundle.file(layout.EVENTS)
    times = {event.time for event in read_events(data)}
    if len(times) > 1:
        raise _refuse("events of one run carry different times")
    missing = layout.missing_files(bundle.plan, bundle.files)
    expected = events_for(bundle.plan, bundle.verdict, missing, times.pop() if times else "")
    if events_bytes(expected) != data:
        raise _refuse(f"{layout.EVENTS} is not what this run emits")
    return ", ".join(event.code for event in expected) or "none"


CHECKS: tuple[_Spec, ...] = (
    _Spec("statement", "The statement is whole and in canonical form", _statement),
    _Spec("files", "Exactly the listed files are there", _files, ("statement",)),
    _Spec("digests", "Every file has its listed size and sha256", _digests, ("files",)),
    _Spec("plan", "The plan agrees with itself", _plan, ("digests",)),
    _Spec("rule", "The decision rule is that of the effort", doctrine.rule_of_effort, ("plan",)),
    _Spec("journal", "The journal is one chain and covers every file", _journal, ("plan",)),
    _Spec("plan-first", "The plan was frozen before anything was measured", _plan_first, ("journal",)),
    _Spec("agrees", "The statement says what the files say", _agrees, ("journal",)),
    _Spec("baseline", "The baseline's samples follow the plan", _samples(Stage.BASELINE), ("plan",)),
    _Spec("reprofile", "The comparison's samples follow the plan", _samples(Stage.REPROFILE), ("baseline",)),
    _Spec("tree", "The measured tree is that of the plan", _tree, ("plan",)),
    _Spec("verdict", "The samples give the verdict again", _verdict, ("reprofile", "tree")),
    _Spec("art-01", "The baseline's samples give ART-01 again", _same(_baseline_report), ("baseline",)),
    _Spec("art-03-05", "The verdict gives ART-03 and ART-05 again", _same(_comparison), ("verdict",)),
    _Spec("art-04", "The proof gives ART-04's text again", _same(_proof_text), ("plan",)),
    _Spec("report", "The report page is of this verdict", _page, ("verdict",)),
    _Spec("events", "The events are those of this run", _events, ("verdict",)),
    _Spec("INV-PRF-ARTIFACTS", "All five artifacts hold what they must", doctrine.artifacts, ("verdict",)),
    _Spec("INV-PRF-PROFILED", "There is evidence before and after", doctrine.profiled, ("verdict",)),
    _Spec("INV-PRF-COMPAT", "The measured tree is proven correct", doctrine.compatible, ("verdict",)),
)
