"""Canonical bytes and sha256: the only place that serializes for hashing, and the strict JSON reader."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from prfpipe.errors import BundleError

MAX_JSON_BYTES = 256 * 1024 * 1024
_CHUNK = 1024 * 1024


def sha256_hex(data: bytes) -> str:
    """Lower-case hexadecimal sha256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Lower-case hexadecimal sha256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_tree(files: Mapping[str, str]) -> str:
    """One digest for a set of files, given as relative POSIX path -> sha256.

    Each path is length-prefixed, so that no two different sets give the same bytes.
    """
    digest = hashlib.sha256()
    for name in sorted(files):
        raw = name.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw + bytes.fromhex(files[name]))
    return digest.hexdigest()


def derive_seed(seed: int, name: str, index: int) -> int:
    """A seed of 56 bits for one use (a stage, an invocation of a scenario) from another; any two uses differ."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()[:7], "big")


def canonical_json(value: object) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, UTF-8, no NaN or infinity.

    Raises:
        ValueError: the value holds NaN or an infinity.
        TypeError: the value is not a JSON value.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def pretty_json(value: object) -> bytes:
    """A JSON value for people: indented, key order kept, one final newline; as strict as `canonical_json`."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(data: bytes, *, source: str) -> object:
    """Parse JSON and refuse what JSON readers usually let pass: duplicate keys, NaN, infinities, bad UTF-8.

    Raises:
        BundleError: the bytes are not strict JSON; the message names `source`.
    """
    if len(data) > MAX_JSON_BYTES:
        raise BundleError(f"{source}: {len(data)} bytes of JSON, at most {MAX_JSON_BYTES} are read", hint=_HINT)
    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{source}: not strict JSON: {error}", hint=_HINT) from error


_HINT = "The file was not written by prfpipe or was changed afterwards; fetch the bundle again."


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key!r} stands twice")
        result[key] = value
    return result


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is more than a number can be")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
