"""DSSE envelopes with an in-toto Statement v1 inside, in one strict form: no two spellings mean the same.

Reading here needs no key: it says what is written and who claims to have signed it. `signing.verify` says whether
that is so. Stricter than the formats ask: exactly one signature with exactly `keyid` and `sig`, canonical JSON and
canonical base64, one payload type. What securesystemslib 1.6 would let pass is refused before it sees a byte.

Formats: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from prfpipe.digests import canonical_json, read_json
from prfpipe.errors import BundleError, TamperError
from prfpipe.layout import first_problem
from prfpipe.models import Record, Sha256

PAYLOAD_TYPE: Literal["application/vnd.in-toto+json"] = "application/vnd.in-toto+json"
STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
MAX_ENVELOPE_BYTES = 16 * 1024 * 1024
SIGNATURE_BYTES = 64
_HINT = "It was not made by prfpipe, or was changed afterwards: fetch the bundle again."

R = TypeVar("R", bound=Record)


class _Signature(Record):
    keyid: Sha256
    sig: str


class _Envelope(Record):
    payload: str
    payload_type: Literal["application/vnd.in-toto+json"] = Field(alias="payloadType")
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1, max_length=1)]


class Digest(Record):
    """The one hash that is taken."""

    sha256: Sha256


class Subject(Record):
    """A file that a statement speaks of."""

    name: str
    digest: Digest


class InToto(Record):
    """What every statement begins with; a kind of statement adds its `predicate_type` and its predicate."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope in its right form. Nothing shows yet that `signature` (64 bytes) is one by the key `keyid`."""

    source: str
    payload: bytes
    keyid: str
    signature: bytes


def open_envelope(data: bytes, source: str) -> Opened:
    """Read an envelope; `source` is its file's name, for messages.

    Raises:
        TamperError: it is larger than 16 MiB, not canonical, has other keys, another payload type, or not
            exactly one signature.
    """
    if len(data) > MAX_ENVELOPE_BYTES:
        raise problem(source, f"{len(data)} bytes are too many")
    envelope = _canonical(_Envelope, data, source, "the envelope")
    [signed] = envelope.signatures
    signature = _decoded(signed.sig, source, "the signature")
    if len(signature) != SIGNATURE_BYTES:
        raise problem(source, f"a signature of {len(signature)} bytes, not of {SIGNATURE_BYTES}")
    return Opened(source, _decoded(envelope.payload, source, "the payload"), signed.keyid, signature)


def make_payload(predicate_type: str, files: Mapping[str, str], predicate: Record) -> bytes:
    """The bytes of a statement about `files` (name -> sha256)."""
    subject = [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)]
    values = {"_type": STATEMENT_TYPE, "predicateType": predicate_type, "subject": subject}
    return canonical_json({**values, "predicate": predicate.model_dump(mode="json")})


def read_payload(model: type[R], opened: Opened) -> R:
    """The statement in an envelope. Raises `TamperError`: it is not canonical, or not of this kind."""
    return _canonical(model, opened.payload, opened.source, "the payload")


def problem(source: str, what: str) -> TamperError:
    """The error that a wrong envelope or statement is refused with."""
    return TamperError(f"{source}: {what}", hint=_HINT)


def _canonical(model: type[R], data: bytes, source: str, what: str) -> R:
    try:
        canonical = canonical_json(read_json(data, source=what))
    except BundleError as error:
        raise problem(source, error.message) from error
    except (ValueError, RecursionError) as error:
        raise problem(source, f"{what}: {error}") from error
    if canonical != data:
        raise problem(source, f"{what} is not in canonical form")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise problem(source, f"{what}: {first_problem(error)}") from error


def _decoded(text: str, source: str, what: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise problem(source, f"{what} is not base64: {error}") from error
    # Unused bits of the last letter, and URL-safe letters, would be second spellings of the same bytes.
    if base64.b64encode(found).decode("ascii") != text:
        raise problem(source, f"{what} is not canonical base64")
    return found
