"""What a bundle lacks of the doctrine's invariants, as data: the audit judges it, `prfpipe doctrine` names it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from prfpipe import doctrine, layout
from prfpipe.audit.bundle import Bundle
from prfpipe.audit.fields import lacking_fields
from prfpipe.models import Record
from prfpipe.plan import NO_COMMIT, planned_scenarios
from prfpipe.proof_rules import failures

BUNDLE = "bundle"
"""The clause of a gap in what belongs to no artifact: plan, journal, verdict, statement."""


class Gap(Record):
    """Something that an invariant asks for and that is not there.

    `clause`: what lacks it, such as ART-02. `missing`: files, a field, or what is not shown. `excuse`: why this run
    could not have it; then the audit notes it where it would refuse. It stays a gap.
    """

    clause: str
    missing: str
    excuse: str = ""


def absent_files(listed: Iterable[str], found: Iterable[str]) -> Iterator[Gap]:
    """The files that a statement lists and that are not there, one gap an artifact."""
    missing = sorted(set(listed) - set(found))
    for clause, names in groupby(missing, key=lambda name: layout.artifact_of(name) or BUNDLE):
        yield Gap(clause=clause, missing=", ".join(names))


def artifact_gaps(bundle: Bundle) -> Iterator[Gap]:
    """INV-PRF-ARTIFACTS: every file of ART-01..05 is there and holds each field that the doctrine lists."""
    lacking = layout.missing_files(bundle.plan, bundle.files)
    unobtainable = layout.unobtainable_files(bundle.plan)
    for artifact in doctrine.ARTIFACTS:
        missing = lacking.get(artifact.id, ())
        cannot = tuple(name for name in missing if name in unobtainable)
        if names := [name for name in missing if name not in unobtainable]:
            yield Gap(clause=artifact.id, missing=", ".join(names))
        if cannot:
            yield Gap(clause=artifact.id, missing=", ".join(cannot), excuse=_BLIND)
        if not missing:
            yield from (_lacking(bundle, artifact.id, field) for field in lacking_fields(bundle, artifact))


_BLIND = "this lever cannot be profiled in full"
_NO_REPOSITORY = "the lever's folder is in no git repository"


def _lacking(bundle: Bundle, artifact: str, field: str) -> Gap:
    outside = field == "git commit" and bundle.plan.provenance.git_commit == NO_COMMIT
    return Gap(clause=artifact, missing=f"no {field}", excuse=_NO_REPOSITORY * outside)


def profile_gaps(bundle: Bundle) -> Iterator[Gap]:
    """INV-PRF-PROFILED: profiles of both variants with their difference, and the primary scenario compared."""
    seen = {profile.variant for profile in bundle.profiles if profile.cpu}
    blind = bool(layout.unobtainable_files(bundle.plan) & set(layout.REQUIRED["ART-02"]))
    for variant in layout.VARIANTS:
        if variant not in seen:
            yield Gap(clause="ART-02", missing=f"no CPU profile of the {variant}", excuse=_BLIND * blind)
    if not any(result.primary for result in bundle.claimed_verdict.scenarios):
        yield Gap(clause="ART-03", missing="the primary scenario was not compared")


def proof_gaps(bundle: Bundle) -> Iterator[Gap]:
    """INV-PRF-COMPAT: both proofs hold for every planned scenario and mutant, and are of the tree that was measured."""
    for stage in ("prove", "verify"):
        if problem := _proof_problem(bundle, stage):
            yield Gap(clause="ART-04", missing=problem)


def _proof_problem(bundle: Bundle, stage: str) -> str:
    planned = {item.name for item in planned_scenarios(bundle.plan)}
    mutants = {item.name for item in bundle.plan.lever.mutants}
    proof = next((item for item in bundle.proofs if item.stage == stage), None)
    if proof is None or failures(proof):
        return f"stage {stage} shows no correctness"
    if proof.tree_digest != bundle.tree.digest:
        return f"stage {stage} is of another tree"
    if missed := planned - {item.scenario for item in proof.lockstep if item.against == "candidate"}:
        return f"stage {stage} compared nothing in {', '.join(sorted(missed))}"
    if stage == "prove" and (untried := mutants - {item.mutant for item in proof.mutants}):
        return f"stage prove did not try {', '.join(sorted(untried))}"
    return ""


GAPS: Mapping[str, Callable[[Bundle], Iterator[Gap]]] = {
    "INV-PRF-ARTIFACTS": artifact_gaps,
    "INV-PRF-PROFILED": profile_gaps,
    "INV-PRF-COMPAT": proof_gaps,
}
"""What each invariant that is about one bundle lacks there."""
