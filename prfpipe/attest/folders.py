"""Folders of prfpipe's own state (keys, chains), held by one process at a time."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prfpipe import disk
from prfpipe.disk import disk_errors
from prfpipe.errors import BundleError

PRIVATE = 0o700
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WAIT_SECONDS = 20.0
_PAUSE_SECONDS = 0.02


@contextmanager
def held_folder(path: Path, *, mode: int = 0o755) -> Iterator[int]:
    """The descriptor of a folder, made if need be, that no other process holds meanwhile.

    Raises:
        BundleError: it cannot be made or opened, or another process holds it for more than 20 s.
    """
    with disk_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir(mode=mode)
            disk.sync_folder(path.parent.resolve())
        root = os.open(path, _FOLDER)
    try:
        _lock(root, path)
        yield root
    finally:
        os.close(root)


def _lock(root: int, path: Path) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise BundleError(f"{path}: another process holds it", hint="Look which one, and end it.") from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def read_file(root: int, name: str, path: Path, limit: int) -> bytes | None:
    """A regular file's bytes, or None if there is none. `path`: the folder's, for messages.

    Raises:
        TamperError: a hard link, a device, or more than `limit` bytes.
        BundleError: it cannot be read, or is a symbolic link.
    """
    with disk_errors(str(path / name)):
        try:
            with disk.folder_of(root, name) as (folder, last):
                return disk.read_regular(folder, last, limit=limit)
        except FileNotFoundError:
            return None


def names_in(root: int, folder: str, path: Path) -> list[str]:
    """The names in a folder below `root`, sorted; none if there is no such folder. Raises `BundleError`."""
    with disk_errors(str(path / folder)), _inner(root, folder) as inner:
        if inner is None:
            return []
        with os.scandir(inner) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith("."))


def remove_leftovers(root: int, folder: str) -> None:
    """Remove temporary files of a writer that was killed: until then what it wrote has two names, and is refused."""
    with _inner(root, folder) as inner:
        if inner is None:
            return
        with os.scandir(inner) as entries:
            left = [entry.name for entry in entries if entry.name.startswith(disk.TEMPORARY_PREFIX)]
        for name in left:
            os.unlink(name, dir_fd=inner)


@contextmanager
def _inner(root: int, folder: str) -> Iterator[int | None]:
    try:
        inner = os.open(folder, _FOLDER, dir_fd=root)
    except FileNotFoundError:
        yield None
        return
    try:
        yield inner
    finally:
        os.close(inner)


def is_private(status: os.stat_result) -> bool:
    """Whether only this user can get at it."""
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077
