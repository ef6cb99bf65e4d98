"""Files that survive a crash, and reading that follows nothing and believes nothing.

Writes go to a temporary name, are fsync'd, get their name by `link` (which refuses an existing one
atomically) and the folder is fsync'd. Every step goes from folder descriptor to folder descriptor, so that a
symbolic link planted meanwhile is refused too. An fsync that failed is never tried again: after it nobody
knows what is on the disk.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prfpipe.errors import BundleError, TamperError

MAX_FILE_BYTES = 256 * 1024 * 1024
TEMPORARY_PREFIX = ".tmp-"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a planted FIFO would wait for ever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1024 * 1024

_SPACE = "Free some space, then resume the run: nothing that was recorded is lost."
_ACCESS = "Check who may write there and whether the file system is read-only or has no hard links (FAT)."
_LINK = "A symbolic link or a file stands where a folder is needed, or the other way round: move it away."
_FILES = "Too many files are open: raise `ulimit -n` or close other work, then resume the run."
_HINTS = {
    errno.ENOENT: "Check the path.",
    errno.EEXIST: "Files of a run are written once: start a new run.",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: _SPACE,
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: _ACCESS,
    errno.EOPNOTSUPP: _ACCESS,
    errno.ELOOP: _LINK,
    errno.ENOTDIR: _LINK,
    errno.EISDIR: _LINK,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}
_DISK = "The disk failed: check it (`dmesg`), then resume the run: nothing that was recorded before is lost."


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn what the operating system refuses into a `BundleError` that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BundleError(f"{what}: {reason}", hint=_HINTS.get(error.errno or 0, _DISK)) from error


@contextmanager
def folder_of(root: int, name: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
    """The descriptor of the folder that holds `name` below `root`, and the last part of the name."""
    *folders, last = name.split("/")
    descriptor = os.dup(root)
    try:
        for part in folders:
            inner = _enter(descriptor, part, create=create)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, last
    finally:
        os.close(descriptor)


def _enter(folder: int, part: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=folder)
            os.fsync(folder)
    return os.open(part, _FOLDER, dir_fd=folder)


def write_new(root: int, name: str, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file that must not exist yet; it appears whole or not at all, with `mode` less the umask.

    Raises:
        OSError: it exists, a symbolic link stands in the way, or the disk failed.
    """
    with folder_of(root, name, create=True) as (folder, last):
        temporary = TEMPORARY_PREFIX + secrets.token_hex(8)
        try:
            _write_temporary(folder, temporary, data, mode)
            os.link(temporary, last, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
        os.fsync(folder)


def _write_temporary(folder: int, temporary: str, data: bytes, mode: int) -> None:
    descriptor = os.open(temporary, _CREATE, mode, dir_fd=folder)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove(root: int, name: str) -> None:
    """Remove a file, durably."""
    with folder_of(root, name) as (folder, last):
        os.unlink(last, dir_fd=folder)
        os.fsync(folder)


def rename_new(root: int, name: str, to: str) -> None:
    """Give a file of a folder another name in the same folder that nothing has yet, durably."""
    with folder_of(root, name) as (folder, last):
        new = to.rsplit("/", 1)[-1]
        os.link(last, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(last, dir_fd=folder)
        os.fsync(folder)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are not there, durably.

    Raises:
        OSError: one of them cannot be made.
    """
    path = path.resolve()
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Put on the disk which names a folder has."""
    descriptor = os.open(path, _FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_regular(folder: int, name: str, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """All bytes of a regular file with one name, at most `limit`.

    Raises:
        TamperError: it is a device, a pipe or a hard link, or it is larger.
        OSError: it cannot be read; a symbolic link gives ELOOP.
    """
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        _refuse_special(os.fstat(descriptor), name, limit)
        return _read_all(descriptor, name, limit)
    finally:
        os.close(descriptor)


def _refuse_special(status: os.stat_result, name: str, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise TamperError(f"{name} is not a regular file", hint=NOT_OURS)
    if status.st_nlink != 1:
        raise TamperError(f"{name} is a hard link: it has {status.st_nlink} names", hint=NOT_OURS)
    if status.st_size > limit:
        raise TamperError(f"{name} has {status.st_size} bytes, at most {limit} are read", hint=NOT_OURS)


NOT_OURS = "This is not a bundle as prfpipe writes it: fetch it again from the store."


def _read_all(descriptor: int, name: str, limit: int) -> bytes:
    data = bytearray()
    while chunk := os.read(descriptor, _CHUNK):
        data += chunk
        if len(data) > limit:
            raise TamperError(f"{name} grew over {limit} bytes while it was read", hint=NOT_OURS)
    return bytes(data)


class AppendFile:
    """A file of lines, each on the disk before `append` returns.

    After a failed append it is cut back to its last whole line and refuses to go on.
    """

    def __init__(self, root: int, name: str) -> None:
        """Open or make `name` below the folder descriptor `root`. Raises `BundleError`."""
        self._name = name
        with disk_errors(name), folder_of(root, name, create=True) as (folder, last):
            self._descriptor = os.open(last, _APPEND, 0o644, dir_fd=folder)
            os.fsync(folder)
        _refuse_special(os.fstat(self._descriptor), name, MAX_FILE_BYTES)
        self._size = os.fstat(self._descriptor).st_size
        self._broken = False

    def append(self, line: bytes) -> None:
        """Add one line (without its newline), durably.

        Raises:
            BundleError: the disk refused it; what was there before is still there.
        """
        if self._broken:
            raise BundleError(f"{self._name}: an earlier write failed", hint=_DISK)
        try:
            with disk_errors(self._name):
                _write_all(self._descriptor, line + b"\n")
                os.fsync(self._descriptor)
        except BaseException:
            self._broken = True
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line) + 1

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes only, durably."""
        with disk_errors(self._name):
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
        self._size = size

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
