"""A store in a folder: link-once files, durable before they have a name, no symbolic link followed."""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from prfpipe.digests import sha256_hex
from prfpipe.disk import folder_of, make_folder
from prfpipe.errors import AlreadyExistsError, IntegrityError
from prfpipe.store.base import (
    MAX_GET_BYTES,
    PAGE_OBJECTS,
    ObjectInfo,
    Seen,
    Unfinished,
    check_key,
    clock_seen,
    is_key,
)
from prfpipe.store.files import (
    CREATE_FLAGS,
    Source,
    chunks_of,
    collected,
    consume,
    open_regular,
    os_errors,
    save_new,
    verified,
    write_all,
)
from prfpipe.store.walk import FOLDER_FLAGS, files_that, names, walk

_TEMPORARY_PREFIX = ".incoming-"


class DirectoryStore:
    """Objects as files below `root`, which is made by the first put. See `Store` for the methods.

    A file gets its name by `link`, which refuses an existing name atomically, after its bytes were written
    to a temporary name, fsync'd and read back. Racing writers, of other processes too, cannot see or leave
    half a file. All steps go from folder descriptor to folder descriptor, so a symbolic link below `root`
    is refused, also one that is planted meanwhile.
    """

    kind: Final = "directory"

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

    def verify(self, key: str, sha256: str, size: int) -> None:
        consume(verified(self._chunks(key), self.url(key), sha256, size))

    def list(self, prefix: str = "", *, after: str = "", page: int = PAGE_OBJECTS) -> Iterator[ObjectInfo]:
        """See `Store.list`; a folder has no pages."""
        with self._below(prefix) as (folder, anchor):
            if folder is not None:
                yield from walk(folder, anchor, after)

    def folders(self, prefix: str = "") -> Iterator[str]:
        with self._below(prefix) as (folder, _):
            found = names(folder) if folder is not None else []
        yield from (name[:-1] for name in found if name.endswith("/") and is_key(name[:-1]))

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

    def traits(self, folder: str) -> Mapping[str, Seen]:
        """See `Store.traits`; the clock is that of the file system, which may be another machine's."""
        key, before = f"{check_key(folder)}/clock", datetime.now(UTC)
        self.attempt(key, b"tick", claimed_sha256=sha256_hex(b"tick"), only_if_absent=False)
        after = datetime.now(UTC)
        stamp = next(info.modified for info in self.list(folder) if info.key == key)
        # File systems tell the time in steps, of two seconds at most.
        return {
            "clock": clock_seen(before - timedelta(seconds=2), stamp, after),
            "versioning": (False, "a folder keeps one version of a file"),
            "object-lock": (False, "who may write in a folder may delete from it"),
        }

    def unfinished(self, prefix: str = "") -> Iterator[Unfinished]:
        """See `Store.unfinished`: temporary files whose writer is gone."""
        with self._below(prefix) as (folder, anchor):
            if folder is not None:
                yield from files_that(_is_abandoned, folder, anchor)

    def discard(self, leftover: Unfinished) -> None:
        with os_errors(self.url(leftover.name)), suppress(FileNotFoundError):
            with self._parent(leftover.name, create=False) as (folder, name):
                _remove_if_abandoned(folder, name)
            self._remove_empty_folders(leftover.name)

    def link(self, key: str, seconds: int) -> str:
        """See `Store.link`; a path is good for as long as the file is there."""
        return self.url(check_key(key))

    def url(self, key: str = "") -> str:
        return str(self._root / key)

    @contextmanager
    def _parent(self, key: str, *, create: bool) -> Iterator[tuple[int, str]]:
        """The open folder that holds `key`, and the key's last part."""
        if create:
            make_folder(self._root)
        root = os.open(self._root, FOLDER_FLAGS)
        try:
            with folder_of(root, key, create=create) as found:
                yield found
        finally:
            os.close(root)

    @contextmanager
    def _below(self, prefix: str) -> Iterator[tuple[int | None, str]]:
        """The open folder `prefix`, or None where there is none, and the beginning of its keys."""
        anchor = check_key(prefix) + "/" if prefix else ""
        with os_errors(self.url(prefix)), ExitStack() as opened:
            try:
                folder: int | None = opened.enter_context(self._parent(anchor, create=False))[0]
            except FileNotFoundError:
                folder = None
            yield folder, anchor

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
                consume(verified(chunks_of(stream), name, source.sha256, source.size))
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
            consume(verified(chunks_of(written), name, source.sha256, source.size))
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
        with suppress(OSError):
            _remove_if_abandoned(folder, name)


def _remove_if_abandoned(folder: int, name: str) -> None:
    # Under the lock: a writer that has made it and waits for its lock sees then that it is gone, and makes another.
    with _abandoned(folder, name) as is_so:
        if is_so:
            os.unlink(name, dir_fd=folder)


def _is_abandoned(folder: int, name: str) -> bool:
    with _abandoned(folder, name) as is_so:
        return is_so


@contextmanager
def _abandoned(folder: int, name: str) -> Iterator[bool]:
    """Whether it is a temporary file whose lock no living writer holds; nobody can take it until the block ends."""
    if not name.startswith(_TEMPORARY_PREFIX):
        yield False
        return
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        yield False
        return
    try:
        yield _is_locked_now(descriptor)
    finally:
        os.close(descriptor)


def _is_locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
