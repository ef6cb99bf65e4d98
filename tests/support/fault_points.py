"""Every place where something becomes durable, found by crossing it: nothing lists these places.

`Crossings` stands in front of the operating system's own functions that change what is on a disk, and of every
store's `put`. It numbers what crosses it, and at one number lets the worst happen: the process is killed before,
in the middle of or after the crossing, the power fails, or the system refuses.
"""

import errno
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from prfpipe.store.directory import DirectoryStore
from prfpipe.store.s3 import S3Store

NAMES = ("fsync", "link", "rename", "replace", "unlink", "mkdir", "rmdir", "ftruncate", "write")
"""What of `os` is crossed; `write` for regular files only."""


class How(StrEnum):
    """What happens at a crossing."""

    BEFORE = "killed before"
    HALF = "killed in the middle"
    AFTER = "killed after"
    POWER = "power cut before"
    NO_SPACE = "no space left"
    IO_ERROR = "input/output error"
    READ_ONLY = "read-only from then on"

    @property
    def error(self) -> int:
        """What the system answers, 0 where nobody is left to be answered."""
        return _ERRORS.get(self, 0)

    def fits(self, label: str) -> bool:
        """Whether this can happen at a crossing of this kind."""
        kind = label.partition(" ")[0]
        if self is How.HALF:
            return kind == "write"
        if self is How.POWER:
            return kind == "fsync"
        return kind != "put" or not self.error


_ERRORS = {How.NO_SPACE: errno.ENOSPC, How.IO_ERROR: errno.EIO, How.READ_ONLY: errno.EROFS}


@dataclass
class Crossings:
    """What was crossed below `root`, in order; `at` is the number (from 1) where `how` happens, 0 for nowhere."""

    root: Path
    at: int = 0
    how: How = How.BEFORE
    crossed: list[str] = field(default_factory=list)
    unsynced: dict[str, int] = field(default_factory=dict)
    undo: dict[str, list[Callable[[], object]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @contextmanager
    def hooked(self) -> Iterator["Crossings"]:
        """Stand in front of the functions until the context ends."""
        with pytest.MonkeyPatch.context() as patch:
            for name in NAMES:
                patch.setattr(os, name, self._hook(name, getattr(os, name)))
            for kind in (DirectoryStore, S3Store):
                patch.setattr(kind, "put", self._put_hook(kind.put))
            yield self

    def _hook(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(*arguments: Any, **options: Any) -> Any:
            path = _path_of(name, arguments, options)
            if path is None or not Path(path).is_relative_to(self.root) or (name == "mkdir" and Path(path).is_dir()):
                return real(*arguments, **options)
            half, undo = None, _undo_of(name, path)
            if name == "write":
                half = _half_of(real, *arguments)
                self.unsynced.setdefault(path, os.fstat(arguments[0]).st_size)
            result = self._cross(f"{name} {_plain(path, self.root)}", lambda: real(*arguments, **options), half)
            self._note(name, path, undo)
            return result

        return hooked

    def _put_hook(self, real: Callable[..., None]) -> Callable[..., None]:
        def hooked(store: Any, key: str, *arguments: Any, **options: Any) -> None:
            self._cross(f"put {key.rpartition('/')[2]}", lambda: real(store, key, *arguments, **options), None)

        return hooked

    def _cross(self, label: str, real: Callable[[], Any], half: Callable[[], Any] | None) -> Any:
        # Racing writers cross in threads of their own; every number is given once.
        with self.lock:
            self.crossed.append(label)
            number = len(self.crossed)
        if number != self.at and not (self.how is How.READ_ONLY and 0 < self.at < number):
            return real()
        if self.how.error:
            self._refuse(label, half)
        try:
            if self.how is How.AFTER:
                real()
            elif self.how is How.HALF and half:
                half()
            elif self.how is How.POWER:
                self._lose_power()
        finally:
            # Also where the system refused: a name that a rival took, a folder that is not empty.
            os.kill(os.getpid(), signal.SIGKILL)
        return None

    def _refuse(self, label: str, half: Callable[[], Any] | None) -> None:
        if half and self.how is How.NO_SPACE:
            half()
        self.failed.append(label)
        raise OSError(self.how.error, os.strerror(self.how.error))

    def _note(self, name: str, path: str, undo: Callable[[], object] | None) -> None:
        """Remember what a power cut would take back, until an fsync of the file or its folder."""
        if name == "fsync":
            self.unsynced.pop(path, None)
            self.undo.pop(path, None)
        elif undo:
            self.undo.setdefault(str(Path(path).parent), []).append(undo)

    def _lose_power(self) -> None:
        """Take back all that no fsync made durable, the newest first."""
        for path, size in list(self.unsynced.items()):
            with suppress(OSError):
                os.truncate(path, size)
        for undo in reversed([undo for undone in list(self.undo.values()) for undo in list(undone)]):
            with suppress(OSError):
                undo()


def _half_of(write: Callable[..., int], descriptor: int, data: bytes) -> Callable[[], int]:
    return lambda: write(descriptor, bytes(data)[: len(data) // 2])


def _undo_of(name: str, path: str) -> Callable[[], object] | None:
    """How to take a change of a folder back, before it is made."""
    if name == "link":
        return lambda: Path(path).unlink()
    if name == "mkdir":
        return lambda: Path(path).rmdir()
    if name == "unlink":
        return _writer(path)
    return None


def _writer(path: str) -> Callable[[], object] | None:
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    return lambda: Path(path).write_bytes(data)


def _path_of(name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> str | None:
    """The file or folder that changes; None for what is neither: pipes, sockets."""
    if isinstance(arguments[0], int):
        mode = os.fstat(arguments[0]).st_mode
        if not (stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and name == "fsync")):
            return None
        return str(Path(f"/proc/self/fd/{arguments[0]}").readlink())
    two = name in {"link", "rename", "replace"}
    folder = options.get("dst_dir_fd" if two else "dir_fd")
    last = os.fspath(arguments[1 if two else 0])
    return str(Path(f"/proc/self/fd/{folder}").readlink() / last) if folder is not None else str(Path(last).absolute())


def _plain(path: str, root: Path) -> str:
    """The path below the root, without what is drawn by lot in it."""
    parts = Path(path).relative_to(root).parts
    return "/".join("*" if part.startswith((".tmp-", ".incoming-", ".partial-")) else part for part in parts) or "."
