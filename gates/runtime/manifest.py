"""Signed manifests: one ed25519 signature over the sha256 digests of everything that belongs together.

An envelope is the signature in base64, a line feed, and the signed document: canonical JSON of `name`, `version`,
`epoch` and `files`. What is signed begins with `SIGNED_AS`, so a signature made for anything else is worth nothing.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from gates.runtime.errors import ForgedError, TamperedError

SIGNED_AS = b"prfpipe gates/runtime manifest v1\n"


class Signer(Protocol):
    """A private key, such as `Ed25519PrivateKey`."""

    def sign(self, data: bytes, /) -> bytes: ...


class Verifier(Protocol):
    """A public key, such as `Ed25519PublicKey`; `verify` raises if the signature is not right."""

    def verify(self, signature: bytes, data: bytes, /) -> None: ...


class Manifest(NamedTuple):
    """What a publisher vouches for.

    `version` counts the manifests of one `name`; `epoch` is that of the policy that is in force with it. `files`:
    digests (sha256, 32 bytes) by name.
    """

    name: str
    version: int
    epoch: int
    files: Mapping[str, bytes]

    def check(self, name: str, digest: bytes) -> None:
        """Content may be used if it is what the manifest says of it.

        Raises:
            TamperedError: it is something else, or is not in the manifest.
        """
        if self.files.get(name) != digest:
            what = "is not what was signed" if name in self.files else "is not in the manifest"
            raise TamperedError(f"{self.name}: {name} {what}")


def sealed(manifest: Manifest, signer: Signer) -> bytes:
    """The envelope of a manifest."""
    files = {name: digest.hex() for name, digest in sorted(manifest.files.items())}
    document = {"name": manifest.name, "version": manifest.version, "epoch": manifest.epoch, "files": files}
    payload = json.dumps(document, separators=(",", ":")).encode("ascii")
    return b64encode(signer.sign(SIGNED_AS + payload)) + b"\n" + payload


def opened(envelope: bytes, verifier: Verifier) -> Manifest:
    """The manifest in an envelope, which is read only after its signature was found right.

    Raises:
        ForgedError: whatever is wrong with it.
    """
    signature, _, payload = envelope.partition(b"\n")
    try:
        verifier.verify(b64decode(signature, validate=True), SIGNED_AS + payload)
    except Exception as error:
        raise ForgedError(f"the manifest is not signed by the publisher ({type(error).__name__})") from error
    document: dict[str, Any] = json.loads(payload)
    files = {name: bytes.fromhex(digest) for name, digest in document["files"].items()}
    return Manifest(document["name"], document["version"], document["epoch"], files)
