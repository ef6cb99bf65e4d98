"""The statement of a bundle: every other file with its sha256, and what is said about them.

It is written last and signed (ADR 10). Everything that its predicate says about the bundle follows from the
bundle's files, so that an audit can hold one against the other; `predicate_for` is the one way from files to
predicate, for producer and auditor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from prfpipe.attest.envelope import (
    MAX_ENVELOPE_BYTES,
    InToto,
    Opened,
    make_payload,
    open_envelope,
    problem,
    read_payload,
)
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.layout import PLAN, PLAN_SEAL, SAMPLES, STATEMENT, artifact_of, is_name
from prfpipe.models import (
    ClaimWord,
    DecisionRule,
    FileDigest,
    Plan,
    Record,
    RunId,
    SampleSet,
    Sha256,
    StoreGuarantees,
    Verdict,
    VerdictWord,
)

PREDICATE_TYPE: Literal["urn:prfpipe:evidence:v1"] = "urn:prfpipe:evidence:v1"
MAX_STATEMENT_BYTES = MAX_ENVELOPE_BYTES

SampleName = Literal["baseline", "re-profile"]
SAMPLE_STAGES: Mapping[SampleName, Stage] = {"baseline": Stage.BASELINE, "re-profile": Stage.REPROFILE}
"""How the predicate calls the sample sets of the stages."""


class SampleDigest(Record):
    """A sample set: the sha256 of its file, and how many samples it holds, those of pilots included."""

    sha256: Sha256
    count: int = Field(ge=0)


class HostDigest(Record):
    """The host that measured: its name, and the sha256 of the canonical JSON of its record in the plan."""

    name: str
    sha256: Sha256


class Predicate(Record):
    """What is said about the files; `store`, `sequence` and `previous` speak of what lies outside of them.

    `proof` holds the files of ART-04. `previous` is the sha256 of the `statement.dsse.json` before this one in the
    chain of this lever and key (`attest.chain`), None for the first.
    """

    run_id: RunId
    lever: str
    verdict: VerdictWord
    claim: ClaimWord
    created_at: str
    prfpipe: str
    plan_sha256: Sha256
    plan_seal_sha256: Sha256
    rule: DecisionRule
    samples: dict[SampleName, SampleDigest] = Field(min_length=len(SAMPLE_STAGES))
    proof: dict[str, Sha256]
    host: HostDigest
    tools: dict[str, str]
    store: StoreGuarantees
    sequence: int = Field(ge=1)
    previous: Sha256 | None
    sizes: dict[str, int]


class _Statement(InToto):
    predicate_type: Literal["urn:prfpipe:evidence:v1"] = Field(alias="predicateType")
    predicate: Predicate


class Statement(Record):
    """A statement as read: its files, what it says about them, and the id of the key that is named as its signer's."""

    files: dict[str, FileDigest]
    predicate: Predicate
    keyid: Sha256


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What a predicate says that does not follow from the files alone.

    `created_at`: when the run was decided, the time of the journal's last step. The rest: see `Predicate`.
    """

    created_at: str
    store: StoreGuarantees
    sequence: int
    previous: str | None


def predicate_for(
    files: Mapping[str, FileDigest],
    plan: Plan,
    verdict: Verdict,
    samples: Mapping[Stage, SampleSet],
    facts: SealFacts,
) -> Predicate:
    """The one predicate that these files allow; `files` are all but the statement."""
    return Predicate(
        run_id=plan.run_id,
        lever=plan.lever.id,
        verdict=verdict.verdict,
        claim=verdict.claim,
        created_at=facts.created_at,
        prfpipe=plan.provenance.tools.get("prfpipe", "unknown"),
        plan_sha256=files[PLAN].sha256,
        plan_seal_sha256=files[PLAN_SEAL].sha256,
        rule=plan.rule,
        samples={name: _sample_digest(files, stage, samples[stage]) for name, stage in SAMPLE_STAGES.items()},
        proof={name: files[name].sha256 for name in sorted(files) if artifact_of(name) == "ART-04"},
        host=HostDigest(name=plan.host.name, sha256=sha256_hex(canonical_json(plan.host.model_dump(mode="json")))),
        tools=plan.provenance.tools,
        store=facts.store,
        sequence=facts.sequence,
        previous=facts.previous,
        sizes={name: files[name].size for name in sorted(files)},
    )


def _sample_digest(files: Mapping[str, FileDigest], stage: Stage, samples: SampleSet) -> SampleDigest:
    count = sum(len(arm.samples_ns) for item in samples.invocations for arm in item.arms.values())
    return SampleDigest(sha256=files[SAMPLES[stage]].sha256, count=count)


def statement_payload(files: Mapping[str, FileDigest], predicate: Predicate) -> bytes:
    """What is signed: `SigningKey.seal` makes `statement.dsse.json` of it."""
    return make_payload(PREDICATE_TYPE, {name: digest.sha256 for name, digest in files.items()}, predicate)


def read_statement(data: bytes) -> Statement:
    """Read `statement.dsse.json`. Its signature is not verified here: that needs a key (`attest.trust`).

    Raises:
        TamperError: see `envelope.open_envelope`; another type or version, repeated or unsafe names, sizes of other
            files, or a first place in a chain that has something before it.
    """
    return statement_in(open_envelope(data, STATEMENT))


def statement_in(opened: Opened) -> Statement:
    """The statement in an opened envelope. Raises `TamperError`: see `read_statement`."""
    found = read_payload(_Statement, opened)
    predicate, names = found.predicate, [subject.name for subject in found.subject]
    if wrong := _names_problem(names, predicate.sizes) or _chain_problem(predicate):
        raise problem(STATEMENT, wrong)
    files = {
        item.name: FileDigest(sha256=item.digest.sha256, size=predicate.sizes[item.name]) for item in found.subject
    }
    return Statement(files=files, predicate=predicate, keyid=opened.keyid)


def manifest_of(data: bytes, run_id: str) -> dict[str, FileDigest]:
    """The files that the statement of the run `run_id` lists: a store may return another run's instead.

    Raises:
        TamperError: see `read_statement`, or it is the statement of another run.
    """
    statement = read_statement(data)
    if statement.predicate.run_id != run_id:
        raise problem(STATEMENT, f"it is the statement of run {statement.predicate.run_id}, not of {run_id}")
    return statement.files


def _names_problem(names: list[str], sizes: Mapping[str, int]) -> str | None:
    unsafe = [name for name in names if not is_name(name) or name == STATEMENT]
    if unsafe:
        return f"it lists {unsafe[0][:80]!a}"
    if names != sorted(set(names)):
        return "names are repeated or not in order"
    if names != sorted(sizes) or min(sizes.values()) < 0:
        return "sizes and digests are not of the same files"
    return None


def _chain_problem(predicate: Predicate) -> str | None:
    if (predicate.sequence == 1) != (predicate.previous is None):
        return f"number {predicate.sequence} of its chain names {predicate.previous or 'nothing'} as what was before it"
    return None
