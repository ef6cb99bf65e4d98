"""The statement of a rotation: the old key says that the new one goes on in its place.

It lets a chain of statements go on under the new key, and lets somebody who trusts the old key take the new one
from a file. It cannot help once the old key is in other hands: whoever has it can sign a rotation as well.
"""

from typing import Literal

from pydantic import Field

from prfpipe.attest.envelope import InToto, Opened, make_payload, problem, read_payload
from prfpipe.attest.signing import PublicKey, SigningKey
from prfpipe.digests import sha256_hex
from prfpipe.models import Record

PREDICATE_TYPE: Literal["urn:prfpipe:rotation:v1"] = "urn:prfpipe:rotation:v1"


class RotationPredicate(Record):
    """`public_key`: the new key's PEM file; `created_at`: when the keys were changed, in UTC."""

    public_key: str
    created_at: str


class _RotationStatement(InToto):
    predicate_type: Literal["urn:prfpipe:rotation:v1"] = Field(alias="predicateType")
    predicate: RotationPredicate


def make_rotation(old: SigningKey, new: PublicKey, created_at: str) -> bytes:
    """The rotation's envelope, signed by the old key."""
    predicate = RotationPredicate(public_key=new.pem.decode("ascii"), created_at=created_at)
    return old.seal(make_payload(PREDICATE_TYPE, {_name(new): sha256_hex(new.pem)}, predicate))


def new_key_in(opened: Opened) -> PublicKey:
    """The new key that a rotation names; whether its signature is the old key's is for `signing.verify` to say.

    Raises:
        TamperError: it is not a rotation's statement, or names a key other than the one it holds.
        SigningKeyError: what it holds is no key.
    """
    found = read_payload(_RotationStatement, opened)
    new = PublicKey.from_pem(found.predicate.public_key.encode(), opened.source)
    subject = [(item.name, item.digest.sha256) for item in found.subject]
    if subject != [(_name(new), sha256_hex(new.pem))] or found.predicate.public_key.encode() != new.pem:
        raise problem(opened.source, "it names another key than it holds")
    return new


def _name(key: PublicKey) -> str:
    return f"{key.keyid}.pub"
