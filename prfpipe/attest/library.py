"""securesystemslib without the cloud SDKs that it imports wherever they are installed.

Its `signer` package tries boto3, Azure's, Google's and others' on import: 0.2 s, and code that talks to networks in
an audit that promises not to. Each of these imports is guarded there, so that "not installed" is an answer it takes.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_CLOUDS = frozenset({"azure", "boto3", "botocore", "google", "hvac", "keylet", "pkcs11"})


class _NoClouds(MetaPathFinder):
    """Says of the clouds' modules that they are not there, in the thread that made it only."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if threading.get_ident() == self._thread and fullname.partition(".")[0] in _CLOUDS:
            raise ModuleNotFoundError(f"{fullname} is not wanted here", name=fullname)
        return None


@contextmanager
def _without_clouds() -> Iterator[None]:
    finder = _NoClouds()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


with _without_clouds():
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
    from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

__all__ = ["CryptoSigner", "Envelope", "SSlibKey", "Signature", "UnverifiedSignatureError", "VerificationError"]
