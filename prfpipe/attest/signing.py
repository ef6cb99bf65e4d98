"""Signatures over envelopes: ed25519 (RFC 8032) by securesystemslib. Nothing else holds a private key.

A key's id is the sha256 of the canonical JSON `{"keytype":"ed25519","keyval":{"public":HEX},"scheme":"ed25519"}`,
which is what securesystemslib (TUF, in-toto) gives a key by default. It is always computed here and never taken from
anybody, so that one key cannot stand under two ids.
"""

from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from prfpipe.attest.envelope import PAYLOAD_TYPE, Opened, problem
from prfpipe.attest.library import CryptoSigner, Envelope, Signature, SSlibKey, VerificationError
from prfpipe.digests import canonical_json
from prfpipe.errors import SigningKeyError

_FIELD = 2**255 - 19
_PUBLIC_HINT = "Give the PEM file of an ed25519 public key, as `prfpipe keys show` prints it."
_PRIVATE_HINT = "Put the key back from a copy, or move the file away: the next run makes a new key."


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An ed25519 public key; `raw` are its 32 bytes."""

    raw: bytes

    @classmethod
    def from_pem(cls, data: bytes, source: str) -> Self:
        """Read a PEM file (SubjectPublicKeyInfo).

        Raises:
            SigningKeyError: it holds no ed25519 key, or one that is not in its one canonical form.
        """
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SigningKeyError(f"{source} is not a public key in PEM form", hint=_PUBLIC_HINT) from error
        if not isinstance(key, Ed25519PublicKey):
            raise SigningKeyError(f"{source} is not an ed25519 key", hint=_PUBLIC_HINT)
        return cls.from_raw(key.public_bytes(Encoding.Raw, PublicFormat.Raw), source)

    @classmethod
    def from_raw(cls, raw: bytes, source: str) -> Self:
        """Take the 32 bytes. Raises `SigningKeyError`."""
        # A coordinate that was not reduced would be the same key under a second id (RFC 8032, section 5.1.3).
        if len(raw) != 32 or int.from_bytes(raw, "little") & (2**255 - 1) >= _FIELD:
            raise SigningKeyError(f"{source} is not a canonical ed25519 key", hint=_PUBLIC_HINT)
        return cls(raw)

    @property
    def keyid(self) -> str:
        """The key's id; see the module."""
        return self.sslib().keyid

    @property
    def pem(self) -> bytes:
        """The key's file."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sslib(self) -> SSlibKey:
        """The key as securesystemslib takes it."""
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(self.raw))


class SigningKey:
    """A private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._signer = CryptoSigner(key)
        self.public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        self.keyid = self.public.keyid

    @classmethod
    def generate(cls) -> Self:
        """A fresh key from the system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, data: bytes, source: str) -> Self:
        """Read a PEM file (PKCS #8, not encrypted).

        Raises:
            SigningKeyError: it holds no such key; nothing of what it holds is repeated.
        """
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SigningKeyError(f"{source} is not an unencrypted private key", hint=_PRIVATE_HINT) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningKeyError(f"{source} is not an ed25519 key", hint=_PRIVATE_HINT)
        return cls(key)

    def pem(self) -> bytes:
        """The key's file; a secret."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def seal(self, payload: bytes) -> bytes:
        """The envelope around `payload`, signed: always the same bytes for the same payload and key."""
        envelope = Envelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(self._signer)
        return canonical_json(envelope.to_dict())


def verify(opened: Opened, key: PublicKey) -> None:
    """Do nothing if the envelope's signature is one by `key`.

    Raises:
        TamperError: it is not.
    """
    signature = Signature(opened.keyid, opened.signature.hex())
    try:
        Envelope(opened.payload, PAYLOAD_TYPE, {opened.keyid: signature}).verify([key.sslib()], 1)
    except VerificationError as error:
        raise problem(opened.source, f"the signature is not one by key {key.keyid} over these bytes") from error
