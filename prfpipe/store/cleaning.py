"""Leftovers of work that was interrupted: found and removed by age. What is a bundle by then is left alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from prfpipe.errors import StoreError
from prfpipe.layout import STATEMENT
from prfpipe.store.base import PROBE, ObjectInfo, Store, Unfinished
from prfpipe.store.bundles.groups import Stored, stored_runs
from prfpipe.store.bundles.refs import ROOT, key


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that nobody finished: files of a bundle without its statement, of a probe, or half an upload.

    `name` is the run id, the probe's folder or the upload's; `size` is in bytes; `newest` is when something was
    last written to it, by the store's clock.
    """

    kind: Literal["bundle", "probe", "upload"]
    name: str
    size: int
    newest: datetime
    keys: tuple[str, ...]
    statement: str | None = None
    upload: Unfinished | None = None


def find_leftovers(store: Store, before: datetime) -> Iterator[Leftover]:
    """What was interrupted, and not written to since `before`; one leftover at a time is in memory.

    Raises:
        StoreError: the store failed.
    """
    for stored in stored_runs(store):
        if not stored.is_committed:
            yield from _older(_of_bundle(stored), before)
    for name, infos in groupby(store.list(PROBE), key=lambda info: info.key.split("/")[2]):
        yield from _older(_of_probe(name, list(infos)), before)
    for folder in (ROOT, PROBE):
        for upload in store.unfinished(folder):
            yield from _older(Leftover("upload", upload.name, upload.size, upload.started, (), upload=upload), before)


def remove(store: Store, leftover: Leftover) -> bool:
    """Remove a leftover; false if its bundle was committed meanwhile, which ends the work on it.

    Raises:
        StoreError: the store failed, refuses to delete, or lost a file of a bundle that was committed just then.
    """
    if leftover.upload:
        store.discard(leftover.upload)
    # Somebody may go on with a bundle after days. What goes before its statement comes, they put again.
    if _is_committed(store, leftover):
        return False
    for name in leftover.keys:
        store.delete(name)
        if _is_committed(store, leftover):
            if store.exists(name):
                return False
            raise StoreError(
                f"{store.url(name)} was removed in the moment in which its bundle was committed",
                hint=f"prfpipe archive {leftover.name} puts it back, where the run still is.",
            )
    return True


def _is_committed(store: Store, leftover: Leftover) -> bool:
    return leftover.statement is not None and store.exists(leftover.statement)


def _older(leftover: Leftover, before: datetime) -> Iterator[Leftover]:
    if leftover.newest < before:
        yield leftover


def _of_bundle(stored: Stored) -> Leftover:
    infos = stored.objects.values()
    newest = max(info.modified for info in infos)
    keys = tuple(info.key for info in infos)
    return Leftover("bundle", stored.ref.run_id, stored.size, newest, keys, key(stored.ref, STATEMENT))


def _of_probe(name: str, infos: list[ObjectInfo]) -> Leftover:
    newest = max(info.modified for info in infos)
    size = sum(info.size for info in infos)
    return Leftover("probe", f"{PROBE}/{name}", size, newest, tuple(info.key for info in infos))


@dataclass(slots=True)
class Cleaned:
    """What a walk found: leftovers, their objects and bytes, and how many leftovers could not be removed."""

    found: int = 0
    objects: int = 0
    size: int = 0
    kept: int = 0

    def add(self, leftover: Leftover, kept: bool) -> None:
        """Count a leftover."""
        self.kept += kept
        self.found += 1
        self.objects += len(leftover.keys) or 1
        self.size += leftover.size


def try_to_remove(store: Store, leftover: Leftover) -> str | None:
    """Why a leftover stays, or None if it is gone: one that cannot be removed must not keep the others."""
    try:
        return None if remove(store, leftover) else "its bundle was committed meanwhile"
    except StoreError as error:
        return error.message
