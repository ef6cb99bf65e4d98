"""What every store can do, and the names that it accepts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prfpipe.errors import InputError
from prfpipe.models import StoreKind

MAX_KEY_CHARACTERS = 900
MAX_PART_CHARACTERS = 200
MAX_GET_BYTES = 64 * 1024 * 1024
PAGE_OBJECTS = 1000
MAX_DRIFT_SECONDS = 60.0

PROBE = "probe/v1"
"""The folder of everything that only tries the store out."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a listing: its key, its size in bytes and when the store says it was written."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a writer that died left behind and no listing shows: an upload in parts, or a temporary file.

    `name` is for people; `id` tells two uploads under one name apart. `size` in bytes is 0 where the store does
    not tell it.
    """

    name: str
    id: str
    size: int
    started: datetime


Seen = tuple[bool | None, str]
"""Whether something holds (None: it could not be found out), and what was seen."""


class Store(Protocol):
    """Write-once objects under keys. Nothing that a store says is believed without our own sha256.

    Every method raises `StoreError` or one of its subclasses when the store fails, and `InputError` for a
    key that `check_key` refuses.
    """

    @property
    def kind(self) -> StoreKind:
        """What sort of store this is."""
        ...

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

    def verify(self, key: str, sha256: str, size: int) -> None:
        """Read the object and compare; nothing is kept.

        Raises:
            NotFoundError: no such object.
            IntegrityError: another sha256, or another size in bytes.
        """
        ...

    def list(self, prefix: str = "", *, after: str = "", page: int = PAGE_OBJECTS) -> Iterator[ObjectInfo]:
        """The objects below the folder `prefix` (without a final slash; "" is everything), sorted by key.

        Objects whose names `check_key` refuses cannot have come from `put` and are left out. No more than a
        page of them, or the names of one folder, is in memory at a time.

        Args:
            prefix: a folder.
            after: only keys that sort after this text, which need not be a key.
            page: how many objects one request may return, where there are requests.
        """
        ...

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The names of the folders that are directly below the folder `prefix`, in the order of their keys."""
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

    def traits(self, folder: str) -> Mapping[str, Seen]:
        """What only this kind of store can tell: `clock`, `versioning` and `object-lock`.

        What has to be written to find it out goes below `folder`, and is the caller's to delete.
        """
        ...

    def unfinished(self, prefix: str = "") -> Iterator[Unfinished]:
        """What writers that died left behind below the folder `prefix`, where `list` does not show it."""
        ...

    def discard(self, leftover: Unfinished) -> None:
        """Remove one of `unfinished`; no error if it is gone, or if its writer lives after all."""
        ...

    def link(self, key: str, seconds: int) -> str:
        """Where a browser can open the object: a URL that is good for so many seconds, or a path.

        Raises:
            InputError: the store cannot make a link that is good for so long.
        """
        ...

    def url(self, key: str = "") -> str:
        """A path or URL for people; without a key, one that `open_store` opens again."""
        ...


def clock_seen(before: datetime, stamp: datetime, after: datetime) -> Seen:
    """What a store's time stamp says about its clock, taken between two moments of this machine's."""
    drift = max((before - stamp).total_seconds(), (stamp - after).total_seconds(), 0.0)
    return drift <= MAX_DRIFT_SECONDS, f"the store's clock differs from this machine's by about {drift:.0f} s"


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
