"""Every way that we could think of to change one thing in a bundle. Each has to be refused.

A mutation is of a family (what was done), of a file (to which) and gives the bundle's files as they are then. Nothing
here knows how an audit finds out.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

from prfpipe.digests import canonical_json
from prfpipe.layout import PLAN, STATEMENT

Files = Mapping[str, bytes]
RANDOM_PLACES = 6
HOSTILE_NAMES = (
    "../escape", "/etc/passwd", "a//b", "a/../b", "./plan.json", ".hidden", "-option", "nul\0", "new\nline", "sp ace",
    "plan.jso\u043d", "PLAN.JSON", "a" * 300, "\x1b[31mred", "con:aux", "a\\b", "",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutation:
    """A changed bundle: what was done to which file, and the files as they are then."""

    family: str
    file: str
    files: Files


def mutations(files: Files, other: Files) -> Iterator[Mutation]:
    """Every mutation of a bundle that changes bytes or names; `other` is another valid bundle."""
    for name, data in files.items():
        for family, changed in byte_changes(name, data):
            if changed != data:
                yield Mutation(family, name, {**files, name: changed})
        yield from _name_changes(files, name)
    yield from _exchanges(files, other)
    yield from envelope_changes(files)


def every_byte(files: Files) -> Iterator[Mutation]:
    """Each single byte of each file with one bit flipped: the thorough form of a flip."""
    for name, data in files.items():
        for place in range(len(data)):
            yield Mutation("one bit of any byte flipped", name, {**files, name: flipped(data, place, place % 8)})


def flipped(data: bytes, place: int, bit: int = 0) -> bytes:
    """The bytes with one bit changed."""
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def byte_changes(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file's content changed: family and new content, which may be the old one."""
    size = len(data)
    rng = random.Random(name)
    for place in sorted({0, 1, size // 4, size // 2, 3 * size // 4, size - 2, size - 1}):
        yield "a bit flipped at a chosen place", flipped(data, place)
    for _ in range(RANDOM_PLACES):
        yield "a bit flipped anywhere", flipped(data, rng.randrange(size), rng.randrange(8))
    for kept in sorted({size - 1, size // 2, 1}):
        yield "truncated", data[:kept]
    yield "emptied", b""
    for more in (b"\n", b"\0", b" ", b"{}", data):
        yield "extended", data + more
    for more in (b"\n", b" ", b"\xef\xbb\xbf", b"//\n"):
        yield "something put before it", more + data
    yield "zeros of the same size", bytes(size)
    yield "a byte removed", data[: size // 2] + data[size // 2 + 1 :]
    yield "a byte added inside", data[: size // 2] + b"x" + data[size // 2 :]
    yield "reversed", data[::-1]
    yield "other line ends", data.replace(b"\n", b"\r\n")
    yield from _line_changes(data.splitlines(keepends=True))


def _line_changes(lines: list[bytes]) -> Iterator[tuple[str, bytes]]:
    middle = len(lines) // 2
    yield "a line dropped", b"".join(lines[:middle] + lines[middle + 1 :])
    yield "a line repeated", b"".join(lines[: middle + 1] + lines[middle:])
    yield "lines in another order", b"".join(lines[1:] + lines[:1])


def _name_changes(files: Files, name: str) -> Iterator[Mutation]:
    rest = {other: data for other, data in files.items() if other != name}
    yield Mutation("missing", name, rest)
    folder, _, last = name.rpartition("/")
    for new in (
        name + ".bak",
        f"moved/{last}",
        name.upper(),
        name + ".partial",
        f"{folder}/{folder}/{last}".strip("/"),
    ):
        if new not in files:
            yield Mutation("renamed", name, {**rest, new: files[name]})
            yield Mutation("a copy added", name, {**files, new: files[name]})


def _exchanges(files: Files, other: Files) -> Iterator[Mutation]:
    for one, two in combinations(files, 2):
        if files[one] != files[two]:
            yield Mutation("two files swapped", one, {**files, one: files[two], two: files[one]})
    for one, two in permutations(files, 2):
        if files[one] != files[two]:
            yield Mutation("replaced by another file of it", one, {**files, one: files[two]})
    for name in files.keys() & other.keys():
        if files[name] != other[name]:
            yield Mutation("taken from another bundle", name, {**files, name: other[name]})
    for name in HOSTILE_NAMES:
        yield Mutation("a file with a hostile name added", name, {**files, name: b"x"})


# ---- envelopes ------------------------------------------------------------------------------------------


def envelope_changes(files: Files) -> Iterator[Mutation]:
    """Every envelope of the bundle taken apart, changed in one place and put together again, unsigned."""
    for name in (found for found in files if found.endswith(".dsse.json")):
        envelope = json.loads(files[name])
        for family, changed in (*_envelope_parts(envelope), *_spellings(envelope), *_payloads(envelope)):
            if changed != files[name]:
                yield Mutation(f"envelope: {family}", name, {**files, name: changed})


def _envelope_parts(envelope: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    signatures = envelope["signatures"]
    odd = {"keyid": "0" * 64, "sig": base64.b64encode(bytes(64)).decode()}
    edits: dict[str, dict[str, Any]] = {
        "no signature": {"signatures": []},
        "signatures are null": {"signatures": None},
        "a signature of zeros": {"signatures": [odd]},
        "an extra signature": {"signatures": [*signatures, odd]},
        "an extra signature first": {"signatures": [odd, *signatures]},
        "another payload type": {"payloadType": "application/json"},
        "payload type in upper case": {"payloadType": envelope["payloadType"].upper()},
        "an extra key": {"extra": 1},
        "the payload is empty": {"payload": ""},
        "the payload is a number": {"payload": 1},
    }
    for family, edit in edits.items():
        yield family, canonical_json({**envelope, **edit})
    for key in envelope:
        yield "a key is missing", canonical_json({other: value for other, value in envelope.items() if other != key})
    for signature in signatures:
        yield from _signatures(envelope, signature)


def _signatures(envelope: dict[str, Any], signature: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    raw = base64.b64decode(signature["sig"])
    order = 2**252 + 27742317777372353535851937790883648493
    # Ed25519 without the check of RFC 8032, 5.1.7 takes S + L for S: a second spelling of the same signature.
    malleable = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(33, "little")[:32]
    edits: dict[str, list[dict[str, Any]]] = {
        "the signature repeated": [signature, signature],
        "another key id": [{**signature, "keyid": "f" * 64}],
        "the key id in upper case": [{**signature, "keyid": signature["keyid"].upper()}],
        "an empty key id": [{**signature, "keyid": ""}],
        "no key id": [{"sig": signature["sig"]}],
        "an empty signature": [{**signature, "sig": ""}],
        "half a signature": [{**signature, "sig": base64.b64encode(raw[:32]).decode()}],
        "a signature in hex": [{**signature, "sig": raw.hex()}],
        "an extra key in the signature": [{**signature, "alg": "none"}],
        "the signature's other spelling": [{**signature, "sig": base64.b64encode(malleable).decode()}],
    }
    for family, changed in edits.items():
        yield family, canonical_json({**envelope, "signatures": changed})
    for place in range(len(raw)):
        changed_raw = base64.b64encode(flipped(raw, place, place % 8)).decode()
        yield (
            "a bit of the signature flipped",
            canonical_json({**envelope, "signatures": [{**signature, "sig": changed_raw}]}),
        )


def _spellings(envelope: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The same envelope, written otherwise."""
    text, payload = canonical_json(envelope), envelope["payload"]
    yield "indented", json.dumps(envelope, indent=1).encode()
    yield "keys in another order", json.dumps(dict(reversed(envelope.items())), separators=(",", ":")).encode()
    yield "a key twice", text[:-1] + b',"payloadType":' + json.dumps(envelope["payloadType"]).encode() + b"}"
    yield "a key twice, the first one bad", b'{"payload":"",' + text[1:]
    yield "base64 with a line end", canonical_json({**envelope, "payload": payload + "\n"})
    yield "base64 without padding", canonical_json({**envelope, "payload": payload.rstrip("=")})
    yield "base64 with more padding", canonical_json({**envelope, "payload": payload + "===="})
    yield "base64 for URLs", canonical_json({**envelope, "payload": payload.replace("+", "-").replace("/", "_")})
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz":
        yield "base64 with another last letter", canonical_json({**envelope, "payload": _last_letter(payload, last)})


def _last_letter(text: str, last: str) -> str:
    body = text.rstrip("=")
    return body[:-1] + last + text[len(body) :]


def _payloads(envelope: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The payload changed in one place, the signature kept."""
    payload = base64.b64decode(envelope["payload"])
    for family, changed in payload_changes(payload):
        yield f"payload: {family}", canonical_json({**envelope, "payload": base64.b64encode(changed).decode()})


def payload_changes(payload: bytes) -> Iterator[tuple[str, bytes]]:
    """A statement's JSON with each value, in turn, changed, removed, renamed, repeated."""
    document = json.loads(payload)
    for family, changed in _value_changes(document):
        yield family, _encoded(changed)
    yield "indented", json.dumps(document, indent=1).encode()
    yield "an extra key", canonical_json({**document, "extra": 1})
    yield "a key twice", payload[:-1] + b',"_type":"https://in-toto.io/Statement/v1"}'
    yield "something after it", payload + b"\n"
    for digest in ("sha1", "md5", "sha512", "SHA256"):
        yield f"digests by {digest}", payload.replace(b'"sha256":', f'"{digest}":'.encode())
    yield "an unknown version", payload.replace(b"evidence:v1", b"evidence:v2").replace(b"plan:v1", b"plan:v2")
    yield "another statement version", payload.replace(b"Statement/v1", b"Statement/v0.1")


def _encoded(document: Any) -> bytes:
    """Canonical where that is possible: not for NaN and infinities, which JSON does not have."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _value_changes(value: Any) -> Iterator[tuple[str, Any]]:
    """The same value with one thing in it changed, for every thing in it."""
    if isinstance(value, dict):
        for key in value:
            rest = {other: inner for other, inner in value.items() if other != key}
            yield "a key is missing", rest
            yield "a key has another name", {**rest, f"{key}x": value[key]}
            for family, inner in _value_changes(value[key]):
                yield family, {**value, key: inner}
    elif isinstance(value, list):
        yield from _list_changes(value)
    else:
        yield from _leaf_changes(value)


def _list_changes(value: list[Any]) -> Iterator[tuple[str, Any]]:
    for place, inner in enumerate(value):
        yield "an item is missing", value[:place] + value[place + 1 :]
        yield "an item is repeated", value[: place + 1] + value[place:]
        for family, changed in _value_changes(inner):
            yield family, [*value[:place], changed, *value[place + 1 :]]
    if len(value) > 1:
        yield "items in another order", value[::-1]


def _leaf_changes(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str):
        yield "another text", value + "x"
        yield "a text in upper case", value.upper() if value.upper() != value else value.lower() + " "
        yield "an empty text", "" if value else "x"
        if len(value) == 64:
            yield "another digest", value[:-1] + ("0" if value[-1] != "0" else "1")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        for number in (value + 1, value - 1, -value - 1, float("nan"), float("inf"), float("-inf"), str(value)):
            yield "another number", number
    yield "null", None if value is not None else 0


# ---- somebody who knows the format ----------------------------------------------------------------------


def forgeries(files: Files, reseal: Callable[[Files], Files]) -> Iterator[Mutation]:
    """A file changed and everything above it made again with `reseal`, by somebody who holds another key."""
    yield Mutation("sealed again by somebody else", STATEMENT, reseal(files))
    for name, data in files.items():
        if not name.endswith(".dsse.json") and name not in {PLAN, "verdict.json", "runlog.jsonl"}:
            changed = {**files, name: flipped(data, len(data) // 2)}
            yield Mutation("changed and sealed again by somebody else", name, reseal(changed))
