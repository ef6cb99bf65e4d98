"""`prfpipe keys`."""

import argparse
from collections.abc import Callable
from typing import Any

from prfpipe.attest.keys import Keys, PublicKeys, Publics, read_key_file
from prfpipe.attest.signing import PublicKey
from prfpipe.cli.output import print_json, print_text
from prfpipe.errors import SigningKeyError
from prfpipe.runlog import utc_now
from prfpipe.settings import load_settings

Answer = tuple[dict[str, Any], str]


def command(arguments: argparse.Namespace) -> int:
    """Make, show, trust or change keys. No private key is ever printed."""
    keys = Keys(load_settings().key_folder)
    document, text = _ACTIONS[arguments.action](keys, arguments)
    if arguments.json:
        print_json(document)
    else:
        print_text(text)
    return 0


def _init(keys: Keys, _arguments: argparse.Namespace) -> Answer:
    made = keys.public_keys().current is None
    keyid = keys.signing_key().keyid
    word = "made" if made else "is there already:"
    return {"keyid": keyid, "made": made, "folder": str(keys.path)}, f"signing key {word} {keyid}\nin {keys.path}"


def _show(keys: Keys, arguments: argparse.Namespace) -> Answer:
    found = keys.public_keys()
    document = {
        "folder": str(keys.path),
        "current": found.current,
        "own": _pems(found.own),
        "trusted": _pems(found.trusted),
    }
    return document, _own(found).pem.decode() if arguments.pem else _overview(keys, found)


def _overview(keys: Keys, found: Publics) -> str:
    former = sorted(found.own.keys() - {found.current})
    return "\n".join(
        [
            f"folder   {keys.path}",
            f"signing  {found.current or 'no key yet: `prfpipe keys init`, or the first evaluation, makes one'}",
            *(f"former   {keyid}" for keyid in former),
            *(f"trusted  {keyid}" for keyid in sorted(found.trusted)),
            *([] if found.trusted else ["trusted  none: an audit shows that files are whole, not who made them"]),
        ]
    )


def _trust(keys: Keys, arguments: argparse.Namespace) -> Answer:
    key = _wanted(keys, arguments.key)
    path = keys.trust(key)
    text = f"trusted: {key.keyid}\nin {path}\nEvidence that none of your trusted keys signed is refused from now on."
    return {"keyid": key.keyid, "file": str(path)}, text


def _wanted(keys: Keys, word: str) -> PublicKey:
    found = keys.public_keys()
    if word == "own":
        return _own(found)
    if word in found.own:
        return found.own[word]
    return keys.read_trustworthy(read_key_file(word), word)


def _rotate(keys: Keys, _arguments: argparse.Namespace) -> Answer:
    old, new = keys.rotate(utc_now())
    rotation = keys.path / "rotations" / f"{new.keyid}.dsse.json"
    document = {"old": old.keyid, "new": new.keyid, "rotation": str(rotation)}
    lines = (
        f"new signing key: {new.keyid}",
        f"signed by the old one, {old.keyid}, in {rotation}",
        "Whoever trusts the old key takes the new one from that file: `prfpipe keys trust FILE`.",
        f"Runs that were planned before still need retired/{old.keyid}.pem; when they are done, you may delete it.",
    )
    return document, "\n".join(lines)


def _own(found: Publics) -> PublicKey:
    if found.current is None:
        raise SigningKeyError("there is no signing key yet", hint="`prfpipe keys init` makes one.")
    return found.own[found.current]


def _pems(keys: PublicKeys) -> dict[str, str]:
    return {keyid: keys[keyid].pem.decode() for keyid in sorted(keys)}


_ACTIONS: dict[str, Callable[[Keys, argparse.Namespace], Answer]] = {
    "init": _init,
    "show": _show,
    "trust": _trust,
    "rotate": _rotate,
}
