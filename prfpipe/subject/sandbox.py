"""What a subject may touch: writing in its own folders only, reading nothing of the run that it is measured in.

The kernel enforces it (landlock(7), Linux 5.13 and later), without rights of its own and for all that the subject
starts. It is the calling thread that is restricted, with everything that it starts from then on; see `child.py`.
Signals to other processes are refused from Linux 6.12 on, looking into them (ptrace(2), /proc/PID/mem) always.
"""

import ctypes
import os
import stat
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prfpipe.errors import SubjectStartError
from prfpipe.host import landlock_abi

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_SCOPES = 0b11  # abstract sockets and signals
_SCOPES_ABI = 6

# linux/landlock.h
_WRITE_FILE, _READ_FILE, _TRUNCATE = 1 << 1, 1 << 2, 1 << 14
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))  # remove and make, every kind
_REFER = 1 << 13
_WRITE_SINCE = {1: _WRITE_FILE | _CHANGE_FOLDER, 2: _REFER, 3: _TRUNCATE}
_FOR_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE
_DEVICES = tuple(Path("/dev") / name for name in ("null", "zero", "full", "random", "urandom", "tty"))


@dataclass(frozen=True)
class Sandbox:
    """`writable`: the only folders that may be changed; `hidden`: what may not be read, but for `shown` inside it."""

    writable: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()
    shown: tuple[Path, ...] = ()

    def enter(self) -> None:
        """Restrict the calling thread for good; nothing where the kernel cannot do that.

        Raises:
            SubjectStartError: the kernel refuses.
        """
        if not landlock_abi():
            return
        rules = _prepared(self) if self.hidden else _Rules(self)
        # Again each time: a working folder that was made anew is another one for the kernel.
        for path in self.writable:
            rules.allow(path, rules.handled)
        rules.restrict()

    def readable(self) -> Iterator[Path]:
        """What may be read: beside each folder on the way to what is hidden, everything else."""
        asked = {Path(os.path.realpath(path.expanduser())) for path in self.hidden}
        hidden = {path for path in asked if asked.isdisjoint(path.parents)}
        on_the_way = {parent for path in hidden for parent in path.parents}
        for folder in on_the_way:
            yield from (path for path in _entries(folder) if path not in on_the_way and path not in hidden)
        yield from self.shown


class _Rules:
    """A ruleset of the kernel, closed when nobody needs it any more."""

    def __init__(self, sandbox: Sandbox) -> None:
        abi = landlock_abi()
        read = _READ_FILE if sandbox.hidden else 0
        self.handled = read | sum(rights for since, rights in _WRITE_SINCE.items() if abi >= since)
        self.descriptor = _call(_CREATE_RULESET, *_attributes(self.handled, abi), 0)
        weakref.finalize(self, os.close, self.descriptor)
        for path in _DEVICES:
            self.allow(path, self.handled)
        for path in sandbox.readable() if read else ():
            self.allow(path, read)

    def allow(self, path: Path, rights: int) -> None:
        """Allow `rights` on a file or beneath a folder; what is gone or cannot be opened needs no rule."""
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return
        try:
            folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            rule = _PathBeneath(rights if folder else rights & _FOR_FILES, descriptor)
            _call(_ADD_RULE, self.descriptor, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)

    def restrict(self) -> None:
        """Put the calling thread under these rules."""
        # Without it only root may restrict itself; it is per thread too.
        if _library().prctl(_NO_NEW_PRIVILEGES, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))):
            raise _refused("prctl")
        _call(_RESTRICT_SELF, self.descriptor, 0)


@lru_cache(maxsize=8)
def _prepared(sandbox: Sandbox) -> _Rules:
    """The rules of a sandbox that hides something: there are hundreds, and each invocation needs them again."""
    return _Rules(sandbox)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _attributes(rights: int, abi: int) -> tuple[ctypes.Array[ctypes.c_uint64], int]:
    """A `struct landlock_ruleset_attr`, as long as this kernel knows it: file system, network, scopes."""
    fields = (rights, 0, _SCOPES) if abi >= _SCOPES_ABI else (rights,)
    return (ctypes.c_uint64 * len(fields))(*fields), 8 * len(fields)


class _PathBeneath(ctypes.Structure):
    """A `struct landlock_path_beneath_attr`."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _call(number: int, *arguments: object) -> int:
    result = _library().syscall(ctypes.c_long(number), *map(_word, arguments))
    if result < 0:
        raise _refused(f"system call {number}")
    return int(result)


def _word(argument: object) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _refused(what: str) -> SubjectStartError:
    return SubjectStartError(
        f"a subject cannot be confined to its folder: {what}: {os.strerror(ctypes.get_errno())}",
        hint="PRFPIPE_SANDBOX=off measures without; a candidate may then keep things where nobody looks.",
    )
