"""What a project is on disk: which files are modules, their names and their bytes, each read exactly once."""

import os
import stat
from collections.abc import Iterator
from io import FileIO
from typing import Any, NamedTuple

BUDGET_BYTES = 1_000_000
"""A file above this is not analysed but flagged: a 2.6 MB bundle alone would take more than a second."""

DIALECTS = {
    b".js": "js", b".mjs": "js", b".cjs": "js", b".jsx": "js",
    b".ts": "ts", b".mts": "ts", b".cts": "ts",
    b".tsx": "tsx",
}  # fmt: skip
"""Extension, lower-case, to the grammar that parses it."""

DECLARATIONS = (b".d.ts", b".d.mts", b".d.cts")
"""Type declarations are erased before anything runs, so they use nothing."""

Facts = list[Any]
"""`[flags, uses]`: sorted words, and sorted `[line, module, member path]`."""


class Module(NamedTuple):
    """One file of the project as it was read; `data` is None, with a flag, when it cannot be analysed."""

    path: bytes
    dialect: str
    data: bytes | None
    flag: str | None


def dialect_of(name: bytes) -> str | None:
    """The grammar for a file name, or None when the file is not a module."""
    if name.endswith(DECLARATIONS):
        return None
    return DIALECTS.get(name[name.rfind(b".") :])


def display_name(path: bytes) -> str:
    r"""A path as text that JSON can carry, another one for each path: bytes outside UTF-8 become `\xNN`."""
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def path_of(name: str) -> bytes:
    """The path that `display_name` shows as `name`."""
    return name.encode("utf-8").decode("unicode_escape").encode("latin-1")


def discover(root: bytes) -> list[tuple[bytes, str]]:
    """All modules under `root` as (path relative to it, dialect), sorted by path.

    Symbolic links to folders are not entered, so loops end; links to files count as files.
    """
    found: list[tuple[bytes, str]] = []
    folders = [b""]
    while folders:
        folder = folders.pop()
        for entry in _entries(root + b"/" + folder):
            path = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path + b"/")
            elif (dialect := dialect_of(entry.name)) is not None:
                found.append((path, dialect))
    return sorted(found)


def _entries(folder: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # it vanished while the project was being walked, or may not be listed
        return []


def read(root: bytes, path: bytes) -> tuple[bytes | None, str | None]:
    """(bytes, None), or (None, flag) for what cannot be analysed: `unreadable`, `over-budget`.

    One open and one reading: what is hashed is what is parsed, whatever happens to the file meanwhile.
    """
    try:
        with FileIO(root + b"/" + path, opener=_opener) as file:
            return _content(file)
    except OSError:
        return None, "unreadable"


def _opener(path: str | bytes, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe must not hold the check up


def _content(file: FileIO) -> tuple[bytes | None, str | None]:
    state = os.fstat(file.fileno())
    if not stat.S_ISREG(state.st_mode):
        return None, "unreadable"
    data = file.readall() if state.st_size <= BUDGET_BYTES else None
    if data is None or len(data) > BUDGET_BYTES:
        return None, "over-budget"
    return data, None


def modules(root: bytes) -> Iterator[Module]:
    """Every module of the project under `root`, in order of path, read as it is asked for."""
    for path, dialect in discover(root):
        yield Module(path, dialect, *read(root, path))
