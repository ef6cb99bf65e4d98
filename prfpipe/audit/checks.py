"""Every check of an audit, in order. A check returns what it found, or raises what is wrong.

Bytes come first: what is not as it was sealed is not looked into any further.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prfpipe import layout
from prfpipe.attest.trust import Trust
from prfpipe.audit import doctrine, origin, rederived, seals
from prfpipe.audit.bundle import NOBODY, Bundle, Noted
from prfpipe.audit.gaps import BUNDLE, GAPS, Gap
from prfpipe.audit.report import RAISES_THE_COST, AuditReport, ChainPlace, Check
from prfpipe.audit.workings import workings
from prfpipe.bundle import read_tree
from prfpipe.digests import sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.errors import PrfpipeError, TamperError

# What broken records make pure functions raise: a refusal, never a traceback.
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class _Spec:
    id: str
    title: str
    run: Callable[[Bundle], str]
    needs: tuple[str, ...] = ()


def audit(folder: Path, trust: Trust = NOBODY) -> AuditReport:
    """Audit the bundle in a folder.

    Raises:
        InputError: there is no such folder.
        BundleError: it cannot be read.
    """
    try:
        files = read_tree(folder)
    except TamperError as error:
        return unreadable(error.message)
    return audit_files(files, trust)


def audit_files(files: Mapping[str, bytes], trust: Trust = NOBODY) -> AuditReport:
    """Audit a bundle given as its files' bytes by name. Pure: no clock, no file, no network.

    Args:
        files: all of them, the statement included.
        trust: whose signatures are believed; with nobody's, the origin is not shown, and a check notes that.
    """
    return _audit(Bundle(files, trust))


def examine_files(files: Mapping[str, bytes], trust: Trust = NOBODY) -> tuple[AuditReport, dict[str, tuple[Gap, ...]]]:
    """Audit a bundle, and say what it lacks of each invariant; those that the audit did not reach are left out.

    An audit takes what a run itself says it could not have; here it is a gap all the same.
    """
    bundle = Bundle(files, trust)
    report = _audit(bundle)
    reached = (check for check in report.checks if check.id in GAPS and check.result != "skipped")
    return report, {check.id: _gaps(bundle, check) for check in reached}


def unreadable(what: str) -> AuditReport:
    """The report on a bundle whose files could not even be taken together."""
    check = Check(id="readable", title="The bundle is whole, and only plain files", result="fails", detail=what)
    return AuditReport(
        accepted=False, run_id=None, lever=None, verdict=None, claim=None, signature=None, place=None,
        checks=(check,), workings=None,
    )  # fmt: skip


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
    return _report(bundle, done)


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


def _report(bundle: Bundle, done: Mapping[str, Check]) -> AuditReport:
    accepted = all(check.result in ("holds", "noted") for check in done.values())
    signed = done["statement"].result == "holds"
    told = bundle.verdict if accepted else None
    return AuditReport(
        accepted=accepted,
        run_id=told.run_id if told else None,
        lever=told.lever if told else None,
        verdict=told.verdict if told else None,
        claim=told.claim if told else None,
        signature=bundle.signature if signed else None,
        place=_place(bundle) if signed else None,
        checks=tuple(done.values()),
        workings=workings(bundle.plan, bundle.comparison_samples, told) if told else None,
        raises_the_cost=_raises_the_cost(bundle) if told else (),
    )


def _place(bundle: Bundle) -> ChainPlace:
    told, digest = bundle.statement.predicate, sha256_hex(bundle.file(layout.STATEMENT))
    return ChainPlace(sequence=told.sequence, previous=told.previous, statement_sha256=digest)


def _raises_the_cost(bundle: Bundle) -> tuple[str, ...]:
    facts = {"seed": bundle.plan.seed, "run_id": bundle.plan.run_id, "sequence": bundle.statement.predicate.sequence}
    return tuple(line.format(**facts) for line in RAISES_THE_COST)


CHECKS: tuple[_Spec, ...] = (
    _Spec("statement", "The statement is whole and in canonical form", seals.statement),
    _Spec("signature", "The signature is that of a trusted signer", seals.signature, ("statement",)),
    _Spec("files", "Exactly the listed files are there", seals.files, ("statement",)),
    _Spec("digests", "Every file has its listed size and sha256", seals.digests, ("files",)),
    _Spec("plan", "The plan agrees with itself", origin.plan, ("digests",)),
    _Spec("plan-seal", "The plan was signed as it is, by the same key", seals.plan_seal, ("plan",)),
    _Spec("rule", "The decision rule is that of the effort", doctrine.rule_of_effort, ("plan",)),
    _Spec("journal", "The journal is one chain and covers every file", origin.journal, ("plan",)),
    _Spec("plan-first", "The plan was frozen before anything was measured", origin.plan_first, ("journal",)),
    _Spec("baseline", "The baseline's samples follow the plan", rederived.samples_of(Stage.BASELINE), ("plan",)),
    _Spec(
        "reprofile", "The comparison's samples follow the plan", rederived.samples_of(Stage.REPROFILE), ("baseline",)
    ),
    _Spec(
        "measured-after", "No sample is older than the signed plan", origin.measured_after, ("plan-first", "reprofile")
    ),
    _Spec("agrees", "The statement says what the files say", origin.agrees, ("journal",)),
    _Spec("chain", "The statement has its place in a chain", seals.place, ("statement",)),
    _Spec("tree", "The measured tree is that of the plan", rederived.tree, ("plan",)),
    _Spec("verdict", "The samples give the verdict again", rederived.verdict, ("reprofile", "tree")),
    _Spec("art-01", "The baseline's samples give ART-01 again", rederived.art_01, ("baseline",)),
    _Spec("art-03-05", "The verdict gives ART-03 and ART-05 again", rederived.art_03_05, ("verdict",)),
    _Spec("art-04", "The proof gives ART-04's text again", rederived.art_04, ("plan",)),
    _Spec("report", "The report page is of this verdict", rederived.page, ("verdict",)),
    _Spec("events", "The events are those of this run", rederived.events, ("verdict",)),
    _Spec("INV-PRF-ARTIFACTS", "All five artifacts hold what they must", doctrine.artifacts, ("verdict",)),
    _Spec("INV-PRF-PROFILED", "There is evidence before and after", doctrine.profiled, ("verdict",)),
    _Spec("INV-PRF-COMPAT", "The measured tree is proven correct", doctrine.compatible, ("verdict",)),
)
