"""The statement of a bundle: an in-toto Statement v1 in a DSSE envelope.

It lists every other file with its sha256 and is written last. The envelope carries no signature yet: it shows
that nothing changed since the bundle was sealed, not who made it. Both are read in their one canonical
form only, so that no two different envelopes mean the same.

Formats: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from prfpipe.digests import canonical_json, read_json
from prfpipe.errors import BundleError, TamperError
from prfpipe.layout import PLAN, STATEMENT, first_problem, is_name
from prfpipe.models import ClaimWord, FileDigest, Plan, Record, RunId, Sha256, Verdict, VerdictWord

PAYLOAD_TYPE: Literal["application/vnd.in-toto+json"] = "application/vnd.in-toto+json"
STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Literal["urn:prfpipe:evidence:v1"] = "urn:prfpipe:evidence:v1"
MAX_STATEMENT_BYTES = 16 * 1024 * 1024
_HINT = "The statement was not made by prfpipe, or was changed afterwards: fetch the bundle again."

R = TypeVar("R", bound=Record)


class Predicate(Record):
    """What is said about the files. Everything in it can be checked against them."""

    run_id: RunId
    lever: str
    verdict: VerdictWord
    claim: ClaimWord
    plan_sha256: Sha256
    created_at: str
    host: str
    prfpipe: str
    sizes: dict[str, int]


class _Digest(Record):
    sha256: Sha256


class _Subject(Record):
    name: str
    digest: _Digest


class _Statement(Record):
    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[_Subject, ...] = Field(min_length=1)
    predicate_type: Literal["urn:prfpipe:evidence:v1"] = Field(alias="predicateType")
    predicate: Predicate


class _Envelope(Record):
    payload: str
    payload_type: Literal["application/vnd.in-toto+json"] = Field(alias="payloadType")
    signatures: tuple[()]


class Statement(Record):
    """A statement as read: its files and what it says about them."""

    files: dict[str, FileDigest]
    predicate: Predicate


def make_statement(files: Mapping[str, FileDigest], plan: Plan, verdict: Verdict, created_at: str) -> bytes:
    """The bytes of `statement.dsse.json`.

    Args:
        files: every other file of the bundle.
        plan: the run's plan; names the host and the version of prfpipe (`provenance.tools["prfpipe"]`).
        verdict: the run's verdict.
        created_at: when the run was decided: the time of the journal's last step.
    """
    predicate = predicate_for(files, plan, verdict, created_at)
    payload = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": files[name].sha256}} for name in sorted(files)],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate.model_dump(mode="json"),
    }
    text = base64.b64encode(canonical_json(payload)).decode("ascii")
    return canonical_json({"payload": text, "payloadType": PAYLOAD_TYPE, "signatures": []})


def predicate_for(files: Mapping[str, FileDigest], plan: Plan, verdict: Verdict, created_at: str) -> Predicate:
    """The one predicate that these files allow."""
    return Predicate(
        run_id=plan.run_id,
        lever=plan.lever.id,
        verdict=verdict.verdict,
        claim=verdict.claim,
        plan_sha256=files[PLAN].sha256,
        created_at=created_at,
        host=plan.host.name,
        prfpipe=plan.provenance.tools.get("prfpipe", "unknown"),
        sizes={name: files[name].size for name in sorted(files)},
    )


def read_statement(data: bytes) -> Statement:
    """Read `statement.dsse.json`.

    Raises:
        TamperError: it is not canonical, has other keys, another type or version, signatures that this
            version cannot check, repeated or unsafe names, or sizes of other files.
    """
    if len(data) > MAX_STATEMENT_BYTES:
        raise _problem(f"{len(data)} bytes are too many")
    envelope = _canonical(_Envelope, data, "the envelope")
    statement = _canonical(_Statement, _payload(envelope.payload), "the payload")
    names = [subject.name for subject in statement.subject]
    if problem := _names_problem(names, statement.predicate.sizes):
        raise _problem(problem)
    sizes = statement.predicate.sizes
    files = {item.name: FileDigest(sha256=item.digest.sha256, size=sizes[item.name]) for item in statement.subject}
    return Statement(files=files, predicate=statement.predicate)


def manifest_of(data: bytes, run_id: str) -> dict[str, FileDigest]:
    """The files that the statement of the run `run_id` lists: a store may return another run's instead.

    Raises:
        TamperError: see `read_statement`, or it is the statement of another run.
    """
    statement = read_statement(data)
    if statement.predicate.run_id != run_id:
        raise _problem(f"it is the statement of run {statement.predicate.run_id}, not of {run_id}")
    return statement.files


def _canonical(model: type[R], data: bytes, what: str) -> R:
    try:
        found = read_json(data, source=what)
    except BundleError as error:
        raise _problem(error.message) from error
    if canonical_json(found) != data:
        raise _problem(f"{what} is not in canonical form")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _problem(f"{what}: {first_problem(error)}") from error


def _payload(text: str) -> bytes:
    try:
        payload = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _problem(f"the payload is not base64: {error}") from error
    # Unused bits of the last letter, and URL-safe letters, would be second spellings of the same payload.
    if base64.b64encode(payload).decode("ascii") != text:
        raise _problem("the payload is not canonical base64")
    return payload


def _names_problem(names: list[str], sizes: Mapping[str, int]) -> str | None:
    unsafe = [name for name in names if not is_name(name) or name == STATEMENT]
    if unsafe:
        return f"it lists {unsafe[0][:80]!a}"
    if names != sorted(set(names)):
        return "names are repeated or not in order"
    if names != sorted(sizes) or min(sizes.values()) < 0:
        return "sizes and digests are not of the same files"
    return None


def _problem(what: str) -> TamperError:
    return TamperError(f"{STATEMENT}: {what}", hint=_HINT)
