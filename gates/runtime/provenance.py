"""Provenance: what is used is what a publisher signed.

A signature costs as much as hashing 250 kB, so it is looked at once for each manifest; whether content is what the
manifest says is asked each time that content is used, of the very bytes that are used.
"""

import hashlib

from gates.runtime.errors import ForgedError
from gates.runtime.manifest import Manifest, opened

HELD = 64
"""Manifests whose verdict is remembered; the oldest is forgotten first."""


class Provenance:
    """Believes one publisher. `publisher` is an ed25519 public key of 32 bytes."""

    def __init__(self, publisher: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        self._verifier = Ed25519PublicKey.from_public_bytes(publisher)
        self._verdicts: dict[bytes, Manifest] = {}
        self._newest: dict[str, int] = {}

    def manifest(self, envelope: bytes, name: str) -> Manifest:
        """The manifest called `name`; the verdict on a signature is kept by the digest of the whole envelope.

        Raises:
            ForgedError: not the publisher's, cut, of something else, or older than one that was seen before.
        """
        digest = hashlib.sha256(envelope).digest()
        found = self._verdicts.get(digest) or self._opened(envelope, digest)
        if found.name != name:
            raise ForgedError(f"a manifest of {found.name} stands where one of {name} is wanted")
        newest = self._newest.get(name, 0)
        if found.version < newest:
            raise ForgedError(f"{name}: version {found.version} of the manifest, but {newest} was seen before")
        self._newest[name] = found.version
        return found

    def _opened(self, envelope: bytes, digest: bytes) -> Manifest:
        found = opened(envelope, self._verifier)
        if len(self._verdicts) >= HELD:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[digest] = found
        return found
