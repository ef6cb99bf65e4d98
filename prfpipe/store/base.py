"""What every store can do, and the names that it accepts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prfpipe.errors import InputError

MAX_KEY_CHARACTERS = 900
MAX_PART_CHARACTERS = 200
MAX_GET_BYTES = 64 * 1024 * 1024

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a listing: its key, its size in bytes and when the store says it was written."""

    key: str
    size: int
    modified: datetime


class Store(Protocol):
    """Write-once objects under keys. Nothing that a store says is believed without our own sha256.

    Every method raises `StoreError` or one of its subclasses when the store fails, and `InputError` for a
    key that `check_key` refuses.
    """

    def put(self, key: str, data: bytes | Path, sha256: str) -> None:
        """Keep `data` under `key`, and return only after the stored bytes were read back and verified.

        The same content again changes nothing.

        Raises:
            AlreadyExistsError: the key holds other content, which stays as it is.
            IntegrityError: `data` has not this sha256, or what came back is not what was put.
        """
        ...

    def get(self, key: str, sha256: str | None = None, *, max_bytes: int = MAX_GET_BYTES) -> bytes:
        """The object's bytes, verified if `sha256` is given.

        Raises:
            NotFoundError: no such object.
            IntegrityError: other content than `sha256`, or more than `max_bytes`.
        """
        ...

    def download(self, key: str, to: Path, sha256: str, size: int) -> None:
        """Write the object to the new file `to`, verifying its sha256 and its size in bytes on the way.

        Nothing is left at `to` after an error, and nothing that stands there is overwritten or followed.

        Raises:
            NotFoundError: no such object.
            IntegrityError: other content than asked for.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects below the folder `prefix` (without a final slash; "" is everything), sorted by key.

        Objects whose names `check_key` refuses cannot have come from `put` and are left out.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`; says nothing about its content."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; no error if there is none. For leftovers, never for evidence."""
        ...

    def attempt(self, key: str, data: bytes, *, claimed_sha256: str, only_if_absent: bool) -> bool:
        """Try one bare write without this package's protection, so that `probe` sees what the store does.

        Returns:
            Whether the store accepted the bytes.
        """
        ...

    def url(self, key: str = "") -> str:
        """A path or URL for people; without a key, one that `open_store` opens again."""
        ...


def is_key(key: str) -> bool:
    """Whether `key` is a safe object key: ASCII letters, digits, `_`, `.`, `-` in parts joined by `/`.

    A part starts with a letter, a digit or `_`, so there is no `..`, no hidden name, no absolute path and
    nothing that looks like an option.
    """
    if len(key) > MAX_KEY_CHARACTERS:
        return False
    return all(len(part) <= MAX_PART_CHARACTERS and _PART.fullmatch(part) for part in key.split("/"))


def check_key(key: str) -> str:
    """Return `key` if `is_key` accepts it.

    Raises:
        InputError: it does not.
    """
    if not is_key(key):
        raise InputError(
            f"{key[:80]!a} cannot name an object in a store",
            hint="Use ASCII letters, digits, '_', '.' and '-' in parts joined by '/', each starting with "
            f"a letter, digit or '_', at most {MAX_PART_CHARACTERS} each and {MAX_KEY_CHARACTERS} in all.",
        )
    return key
