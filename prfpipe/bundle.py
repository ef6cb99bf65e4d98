"""The run folder while it is written, and any bundle while it is read.

One process works on a run folder at a time (an flock on the folder itself, which dies with its holder). Files
are written once and whole. The read side takes nothing but regular files with plain names.
"""

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from prfpipe import disk
from prfpipe.digests import sha256_hex
from prfpipe.disk import AppendFile, disk_errors
from prfpipe.errors import BundleError, InputError, ResumeError, TamperError
from prfpipe.layout import PARTIAL_SUFFIX, STATEMENT, check_name, is_name
from prfpipe.models import FileDigest

MAX_FILES = 2000
MAX_TOTAL_BYTES = 1024 * 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RunFolder:
    """The folder of one run; a context manager that holds the folder's lock."""

    def __init__(self, path: Path) -> None:
        """Lock an existing run folder and clear away half-written temporary files.

        Raises:
            BundleError: it cannot be opened, or another process works on it.
        """
        self.path = path
        with disk_errors(str(path)):
            self._root = os.open(path, _FOLDER)
        try:
            self._lock()
            with disk_errors(str(path)):
                _tidy(self._root)
        except BaseException:
            os.close(self._root)
            raise

    @classmethod
    def create(cls, parent: Path, run_id: str) -> Self:
        """Make the folder of a new run.

        Raises:
            BundleError: it exists already, or cannot be made.
        """
        path = parent / check_name(run_id)
        with disk_errors(str(path)):
            disk.make_folder(parent)
            path.mkdir()
            disk.sync_folder(parent.resolve())
        return cls(path)

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Open the folder of a run that did not finish.

        Raises:
            ResumeError: there is no such run, or it is finished: its statement is written.
        """
        if not path.is_dir():
            raise ResumeError(f"{path}: no such run", hint="`--resume` takes the id of a run in the work folder.")
        folder = cls(path)
        if folder.sealed:
            folder.close()
            raise ResumeError(f"{path} is finished and sealed", hint="Nothing to resume; `prfpipe audit` checks it.")
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the lock; closing twice is fine."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    @property
    def sealed(self) -> bool:
        """Whether the statement is written; nothing can be written after it."""
        return self.has(STATEMENT)

    def has(self, name: str) -> bool:
        """Whether there is anything under this name."""
        with disk_errors(name):
            try:
                with disk.folder_of(self._root, check_name(name)) as (folder, last):
                    os.stat(last, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return True

    def write(self, name: str, data: bytes) -> FileDigest:
        """Write a new file, durably; it appears whole or not at all.

        Raises:
            BundleError: the name is not safe or is taken, the run is sealed, or the disk refused.
        """
        self._refuse_sealed(name)
        if len(data) > disk.MAX_FILE_BYTES:
            raise BundleError(f"{name}: {len(data)} bytes, at most {disk.MAX_FILE_BYTES}", hint="Record less.")
        with self._tidying(name):
            disk.write_new(self._root, check_name(name), data)
        return FileDigest(sha256=sha256_hex(data), size=len(data))

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Write several new files, in the order of the mapping. Raises `BundleError`."""
        for name, data in files.items():
            self.write(name, data)

    def append_to(self, name: str) -> AppendFile:
        """Open a file of lines that grows durably. Raises `BundleError`."""
        self._refuse_sealed(name)
        with self._tidying(name):
            return AppendFile(self._root, check_name(name))

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            BundleError: it cannot be read.
            TamperError: it is not a regular file, or has several names.
        """
        with (
            disk_errors(str(self.path / name)),
            disk.folder_of(self._root, check_name(name)) as (folder, last),
        ):
            return disk.read_regular(folder, last)

    def rename(self, name: str, to: str) -> None:
        """Give a file another name in the same folder. Raises `BundleError` if that is taken."""
        self._refuse_sealed(name)
        with disk_errors(str(self.path / name)):
            disk.rename_new(self._root, check_name(name), check_name(to))

    def remove(self, name: str) -> None:
        """Remove what an interrupted stage left behind. Raises `BundleError`."""
        self._refuse_sealed(name)
        with self._tidying(name):
            disk.remove(self._root, check_name(name))

    def files(self) -> dict[str, FileDigest]:
        """Digest and size of every file, by name; see `read_tree` for what is refused."""
        tree = _read_folder(self._root, str(self.path))
        return {name: FileDigest(sha256=sha256_hex(data), size=len(data)) for name, data in tree.items()}

    def contents(self) -> dict[str, bytes]:
        """Every file's bytes, by name; see `read_tree` for what is refused."""
        return _read_folder(self._root, str(self.path))

    def seal(self, statement: bytes) -> None:
        """Write the statement: from here on the run is a bundle and does not change.

        Raises:
            BundleError: the run is sealed already, or a measurement has not been finished.
        """
        unfinished = [name for name in self.files() if name.endswith(PARTIAL_SUFFIX)]
        if unfinished:
            raise BundleError(f"{unfinished[0]} is unfinished", hint="Resume the run before it is sealed.")
        self.write(STATEMENT, statement)

    @contextmanager
    def _tidying(self, name: str) -> Iterator[None]:
        """Leave no folder without files behind, whether or not the disk does what it is asked."""
        with disk_errors(str(self.path / name)):
            try:
                yield
            finally:
                with suppress(OSError):
                    _tidy(self._root)

    def _refuse_sealed(self, name: str) -> None:
        if self.sealed:
            raise BundleError(f"{name}: the run is sealed", hint="Evidence does not change: start a new run.")

    def _lock(self) -> None:
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BundleError(
                f"{self.path}: another process works on this run", hint="Wait for it to end, or end it."
            ) from error


def read_tree(path: Path) -> dict[str, bytes]:
    """All files below a folder, by relative POSIX name, in sorted order.

    Raises:
        InputError: there is no such folder.
        TamperError: a link, a device, an unsafe name, an empty folder, too many files or too many bytes.
        BundleError: something cannot be read.
    """
    with disk_errors(str(path)):
        if not path.is_dir():
            raise InputError(f"{path}: no such folder", hint="Give the folder of a bundle, or a run id.")
        # The last part may be a link to the bundle (the person named it); nothing inside may.
        root = os.open(path.resolve(), _FOLDER)
    try:
        return _read_folder(root, str(path))
    finally:
        os.close(root)


def _read_folder(root: int, source: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with disk_errors(source):
            _collect(root, "", found)
    except RecursionError as error:
        raise TamperError(f"{source}: folders nest too deeply", hint=disk.NOT_OURS) from error
    return dict(sorted(found.items()))


def _collect(folder: int, prefix: str, found: dict[str, bytes]) -> None:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    if prefix and not names:
        raise TamperError(f"{prefix!a} is an empty folder", hint=disk.NOT_OURS)
    for name in names:
        _take(folder, name, prefix + name, found)


def _take(folder: int, last: str, name: str, found: dict[str, bytes]) -> None:
    if not is_name(name):
        raise TamperError(f"{name[:80]!a} is not a name that a bundle has", hint=disk.NOT_OURS)
    mode = os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        raise TamperError(f"{name} is a symbolic link", hint=disk.NOT_OURS)
    if stat.S_ISDIR(mode):
        inner = os.open(last, _FOLDER, dir_fd=folder)
        try:
            _collect(inner, name + "/", found)
        finally:
            os.close(inner)
        return
    if not stat.S_ISREG(mode):
        raise TamperError(f"{name} is not a regular file", hint=disk.NOT_OURS)
    found[name] = disk.read_regular(folder, last)
    if len(found) > MAX_FILES or sum(map(len, found.values())) > MAX_TOTAL_BYTES:
        raise TamperError(f"more than {MAX_FILES} files or {MAX_TOTAL_BYTES} bytes", hint=disk.NOT_OURS)


def _tidy(folder: int) -> None:
    """Remove what a crash between writing and naming left: temporary files, folders without files."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if is_folder:
            _tidy_folder(folder, name)
        elif name.startswith(disk.TEMPORARY_PREFIX):
            os.unlink(name, dir_fd=folder)


def _tidy_folder(folder: int, name: str) -> None:
    inner = os.open(name, _FOLDER, dir_fd=folder)
    try:
        _tidy(inner)
        with os.scandir(inner) as left:
            empty = next(left, None) is None
        if empty:
            os.rmdir(name, dir_fd=folder)
    finally:
        os.close(inner)
