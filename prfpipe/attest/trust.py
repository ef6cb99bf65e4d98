"""Whose signatures a verifier believes, and what follows for one envelope.

trusted     the signature is one by a key that the verifier trusts
untrusted   the verifier trusts no key at all: the files are as they were sealed, their origin is not shown
refused     the signature is not one by the key that it names, or the verifier trusts keys and this is none

No key is ever read from a bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from prfpipe.attest.envelope import Opened
from prfpipe.attest.keys import Keys, PublicKeys, read_key_file
from prfpipe.attest.signing import PublicKey, verify
from prfpipe.errors import TamperError
from prfpipe.models import Record, Sha256


@dataclass(frozen=True, slots=True)
class Trust:
    """Public keys by id: those that are believed, and those that are merely known (this user's own)."""

    trusted: PublicKeys = field(default_factory=dict)
    known: PublicKeys = field(default_factory=dict)

    @classmethod
    def in_keys(cls, *keys: PublicKey) -> "Trust":
        """Trust in these keys."""
        return cls({key.keyid: key for key in keys})


class SignatureCheck(Record):
    """What a signature is worth to this verifier; `detail` says why, and what to do."""

    state: Literal["trusted", "untrusted", "refused"]
    keyid: Sha256
    detail: str


def load_trust(folder: Path, given: Sequence[str] = ()) -> Trust:
    """The trust of this user.

    Args:
        folder: the key folder; it need not exist.
        given: key ids, or PEM files of public keys, that are trusted instead of those in the folder.

    Raises:
        SettingsError: a key that is given is not known, or its file cannot be read.
        SigningKeyError: a file holds no key, or the key folder cannot be used.
    """
    publics = Keys(folder).public_keys()
    known = publics.own | publics.trusted
    if not given:
        return Trust(publics.trusted, known)
    keys = [_given(word, known) for word in given]
    return Trust({key.keyid: key for key in keys}, known)


def _given(word: str, known: PublicKeys) -> PublicKey:
    return known[word] if word in known else PublicKey.from_pem(read_key_file(word), word)


def judge(opened: Opened, trust: Trust) -> SignatureCheck:
    """What the signature of an envelope is worth."""
    keyid = opened.keyid
    key = trust.trusted.get(keyid) or trust.known.get(keyid)
    try:
        if key:
            verify(opened, key)
    except TamperError as error:
        return SignatureCheck(state="refused", keyid=keyid, detail=error.message)
    if keyid in trust.trusted:
        return SignatureCheck(state="trusted", keyid=keyid, detail=f"by key {keyid}, which you trust")
    if trust.trusted:
        whose = "this user's own key" if key else "key"
        detail = f"signed by {whose} {keyid}, which you have not trusted, while you trust others"
        return SignatureCheck(state="refused", keyid=keyid, detail=detail)
    return SignatureCheck(state="untrusted", keyid=keyid, detail=_UNSHOWN[key is not None].format(keyid=keyid))


_UNSHOWN = {
    True: "by this user's own key {keyid}, which you have not trusted: `prfpipe keys trust {keyid}`",
    False: (
        "cannot be checked: signed by key {keyid}, which is not known here. That the files are as they were sealed is "
        "shown, who sealed them is not: get the signer's public key from the signer, then `prfpipe keys trust FILE`"
    ),
}
