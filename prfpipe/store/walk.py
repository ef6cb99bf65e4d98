"""A folder's files in the order of their keys, from descriptor to descriptor."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from prfpipe.store.base import ObjectInfo, Unfinished, is_key

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def names(folder: int) -> list[str]:
    """The names in a folder in the order of their keys: a folder sorts as its name with the slash."""
    with os.scandir(folder) as entries:
        return sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries)


def walk(folder: int, anchor: str, after: str) -> Iterator[ObjectInfo]:
    """The regular files whose keys sort after `after`, in order."""
    for name in names(folder):
        key = anchor + name
        if not is_key(key.removesuffix("/")) or (key <= after and not after.startswith(key)):
            continue
        if name.endswith("/"):
            with _inner(folder, name) as inner:
                yield from walk(inner, key, after) if inner is not None else ()
        elif key > after:
            yield from _object(folder, name, key)


def _object(folder: int, name: str, key: str) -> Iterator[ObjectInfo]:
    with suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            yield ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def files_that(holds: Callable[[int, str], bool], folder: int, anchor: str) -> Iterator[Unfinished]:
    """The files that no key can name, for which `holds` is true of their folder and name."""
    for name in names(folder):
        if name.endswith("/") and is_key(name[:-1]):
            with _inner(folder, name) as inner:
                yield from files_that(holds, inner, anchor + name) if inner is not None else ()
        elif holds(folder, name):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            yield Unfinished(anchor + name, name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


@contextmanager
def _inner(folder: int, name: str) -> Iterator[int | None]:
    """A folder in a folder, open; None if it is gone meanwhile."""
    try:
        inner = os.open(name.removesuffix("/"), FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        yield None
        return
    try:
        yield inner
    finally:
        os.close(inner)
