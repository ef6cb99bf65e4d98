"""The signed plan, `plan.dsse.json`: written in stage plan, before the first measurement.

It shows that rule, seed and thresholds are those that the signer chose, by the same key as the statement. That it
was signed *before* measuring is what the journal says: a signer who lies can sign at any time.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from prfpipe.attest.envelope import InToto, Opened, make_payload, open_envelope, problem, read_payload
from prfpipe.digests import sha256_hex
from prfpipe.layout import PLAN, PLAN_SEAL, plan_files
from prfpipe.models import Plan, Record, RunId, Sha256

if TYPE_CHECKING:
    # Reading a seal needs no cryptography.
    from prfpipe.attest.signing import SigningKey

PREDICATE_TYPE: Literal["urn:prfpipe:plan:v1"] = "urn:prfpipe:plan:v1"


class PlanPredicate(Record):
    """What the seal says about the plan; all of it stands in the plan as well. `seed` gives every schedule's order."""

    run_id: RunId
    lever: str
    seed: int
    created_at: str


class _PlanStatement(InToto):
    predicate_type: Literal["urn:prfpipe:plan:v1"] = Field(alias="predicateType")
    predicate: PlanPredicate


class PlanSeal(Record):
    """The seal of a plan as read: the plan's digest, what is said of it, and who is named as its signer."""

    plan_sha256: Sha256
    predicate: PlanPredicate
    keyid: Sha256


def sealed_plan_files(plan: Plan, key: "SigningKey") -> dict[str, bytes]:
    """`plan.json` and `plan.dsse.json`."""
    files = plan_files(plan)
    return {**files, PLAN_SEAL: make_plan_seal(plan, files[PLAN], key)}


def make_plan_seal(plan: Plan, data: bytes, key: "SigningKey") -> bytes:
    """The bytes of `plan.dsse.json`; `data` are those of `plan.json`."""
    return key.seal(make_payload(PREDICATE_TYPE, {PLAN: sha256_hex(data)}, plan_predicate(plan)))


def plan_predicate(plan: Plan) -> PlanPredicate:
    """The one predicate that a plan allows."""
    created_at = plan.provenance.created_at
    return PlanPredicate(run_id=plan.run_id, lever=plan.lever.id, seed=plan.seed, created_at=created_at)


def read_plan_seal(data: bytes) -> PlanSeal:
    """Read `plan.dsse.json`. Its signature is not verified here: that needs a key (`attest.trust`).

    Raises:
        TamperError: see `envelope.open_envelope`; another type or version, or not about `plan.json` alone.
    """
    return plan_seal_in(open_envelope(data, PLAN_SEAL))


def plan_seal_in(opened: Opened) -> PlanSeal:
    """The seal in an opened envelope. Raises `TamperError`: see `read_plan_seal`."""
    found = read_payload(_PlanStatement, opened)
    if [subject.name for subject in found.subject] != [PLAN]:
        raise problem(PLAN_SEAL, f"it is not about {PLAN} alone")
    return PlanSeal(plan_sha256=found.subject[0].digest.sha256, predicate=found.predicate, keyid=opened.keyid)
