"""A store in a folder: link-once files, durable before they have a name, no symbolic link followed."""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from prfpipe.digests import sha256_hex
from prfpipe.disk import folder_of
from prfpipe.errors import AlreadyExistsError, IntegrityError
from prfpipe.store.base import MAX_GET_BYTES, ObjectInfo, check_key, is_key
from prfpipe.store.files import (
    CREATE_FLAGS,
    Source,
    chunks_of,
    collected,
    open_regular,
    os_errors,
    save_new,
    verified,
    write_all,
)

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TEMPORARY_PREFIX = ".incoming-"


class DirectoryStore:
    """Objects as files below `root`, which is made by the first put. See `Store` for the methods.

    A file gets its name by `link`, which refuses an existing name atomically, after its bytes were written
    to a temporary name, fsync'd and read back. Racing writers, of other processes too, cannot see or leave
    half a file. All steps go from folder descriptor to folder descriptor, so a symbolic link below `root`
    is refused, also one that is planted meanwhile.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def put(self, key: str, data: bytes | Path, sha256: str) -> None:
        check_key(key)
        source = Source.checked(data, sha256)
        with os_errors(self.url(key)), self._parent(key, create=True) as (folder, name):
            _remove_abandoned(folder)
            with _temporary(folder, source) as temporary:
                created = _link(folder, temporary, name)
            if not created:
                self._confirm_same(folder, name, source)
            _make_name_durable(folder, name, created=created)

    def get(self, key: str, sha256: str | None = None, *, max_bytes: int = MAX_GET_BYTES) -> bytes:
        chunks = self._chunks(key)
        return collected(verified(chunks, self.url(key), sha256) if sha256 else chunks, self.url(key), max_bytes)

    def download(self, key: str, to: Path, sha256: str, size: int) -> None:
        save_new(to, verified(self._chunks(key), self.url(key), sha256, size))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        anchor = check_key(prefix) + "/" if prefix else ""
        with os_errors(self.url(prefix)):
            try:
                with self._parent(anchor, create=False) as (folder, _):
                    yield from _walk(folder, anchor)
            except FileNotFoundError:
                return

    def exists(self, key: str) -> bool:
        check_key(key)
        with os_errors(self.url(key)):
            try:
                with self._parent(key, create=False) as (folder, name):
                    return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
            except FileNotFoundError:
                return False

    def delete(self, key: str) -> None:
        check_key(key)
        with os_errors(self.url(key)), suppress(FileNotFoundError):
            with self._parent(key, create=False) as (folder, name):
                os.unlink(name, dir_fd=folder)
                os.fsync(folder)
            self._remove_empty_folders(key)

    def attempt(self, key: str, data: bytes, *, claimed_sha256: str, only_if_absent: bool) -> bool:
        """See `Store.attempt`; a folder itself refuses no overwrite, and checksums are this class's work."""
        check_key(key)
        if sha256_hex(data) != claimed_sha256:
            return False
        source = Source.checked(data, claimed_sha256)
        with (
            os_errors(self.url(key)),
            self._parent(key, create=True) as (folder, name),
            _temporary(folder, source) as temporary,
        ):
            if only_if_absent:
                return _link(folder, temporary, name)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            return True

    def url(self, key: str = "") -> str:
        return str(self._root / key)

    @contextmanager
    def _parent(self, key: str, *, create: bool) -> Iterator[tuple[int, str]]:
        """The open folder that holds `key`, and the key's last part."""
        if create:
            self._root.mkdir(parents=True, exist_ok=True)
        root = os.open(self._root, _FOLDER_FLAGS)
        try:
            with folder_of(root, key, create=create) as found:
                yield found
        finally:
            os.close(root)

    def _chunks(self, key: str) -> Iterator[bytes]:
        check_key(key)
        with os_errors(self.url(key)):
            with self._parent(key, create=False) as (folder, name):
                stream = open_regular(name, folder)
            with stream:
                yield from chunks_of(stream)

    def _confirm_same(self, folder: int, name: str, source: Source) -> None:
        with open_regular(name, folder) as stream:
            try:
                for _ in verified(chunks_of(stream), name, source.sha256, source.size):
                    pass
            except IntegrityError as error:
                raise AlreadyExistsError(
                    f"{self._root} already has other content as {name}",
                    hint="Evidence is written once and never replaced: start a new run, which gets a new id.",
                ) from error
            # Who linked it may have died before it was durable.
            os.fsync(stream.fileno())

    def _remove_empty_folders(self, key: str) -> None:
        with suppress(OSError):
            while "/" in key:
                key = key.rpartition("/")[0]
                with self._parent(key, create=False) as (folder, name):
                    os.rmdir(name, dir_fd=folder)


@contextmanager
def _temporary(folder: int, source: Source) -> Iterator[str]:
    """The bytes, fsync'd and read back, under a hidden name, which no key can have; it is gone afterwards."""
    name, descriptor = _locked_temporary(folder)
    try:
        with source.open() as stream:
            write_all(descriptor, chunks_of(stream))
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "rb") as written:
            for _ in verified(chunks_of(written), name, source.sha256, source.size):
                pass
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        os.close(descriptor)


def _locked_temporary(folder: int) -> tuple[str, int]:
    """A new file that is locked for as long as its writer lives, so that others can tell what is abandoned."""
    while True:
        name = _TEMPORARY_PREFIX + secrets.token_hex(8)
        descriptor = os.open(name, CREATE_FLAGS, 0o444, dir_fd=folder)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        # Between its creation and its lock, somebody took it for abandoned.
        os.close(descriptor)


def _remove_abandoned(folder: int) -> None:
    """Remove temporary files of writers that died: a bundle's folder has to hold nothing else than the bundle."""
    for name in os.listdir(folder):
        if not name.startswith(_TEMPORARY_PREFIX):
            continue
        with suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


def _link(folder: int, temporary: str, name: str) -> bool:
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    return True


def _make_name_durable(folder: int, name: str, *, created: bool) -> None:
    try:
        os.fsync(folder)
    except OSError:
        # A second fsync could succeed without having written anything, so a second put must start afresh.
        if created:
            os.unlink(name, dir_fd=folder)
        raise


def _walk(folder: int, anchor: str) -> Iterator[ObjectInfo]:
    """Regular files in the order of their keys: a folder sorts as its name with the slash."""
    with os.scandir(folder) as entries:
        found = sorted((entry.name + "/" * entry.is_dir(follow_symlinks=False), entry) for entry in entries)
    for name, entry in found:
        key = anchor + name
        if not is_key(key.removesuffix("/")):
            continue
        if name.endswith("/"):
            yield from _walk_inside(folder, entry.name, key)
        elif entry.is_file(follow_symlinks=False):
            status = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            yield ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _walk_inside(folder: int, name: str, key: str) -> Iterator[ObjectInfo]:
    with suppress(FileNotFoundError):
        inner = os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
        try:
            yield from _walk(inner, key)
        finally:
            os.close(inner)
