"""What can happen to a cache between two runs, done for real to the file of the candidate.

The baseline's folder gets the same treatment; it has no cache to lose.
"""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

FILE = "facts.sqlite3"
_held: list[sqlite3.Connection] = []
"""Connections that keep a lock until the next preparation."""

DYING_WRITER = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE facts SET facts = CAST('[[],[]]' AS BLOB)")
for at in range(200):
    database.execute("INSERT INTO facts VALUES (?, zeroblob(4000), x'00')", (b"%d" % at,))
os._exit(9)
"""


def apply(action: str, folder: Path) -> None:
    """Do one of ACTIONS to the cache in `folder`, or `flip:N`: flip bit N, counted modulo the file's size."""
    while _held:
        _held.pop().close()
    if action == "keep":
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    if action.startswith("flip:"):
        _flip(path, int(action.removeprefix("flip:")))
    else:
        ACTIONS[action](path)


def _flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes() if path.is_file() else b"")
    if data:
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        path.write_bytes(data)


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _truncate(path: Path) -> None:
    data = path.read_bytes() if path.is_file() else b""
    path.write_bytes(data[: len(data) * 2 // 3])


def _text(path: Path) -> None:
    path.write_text("this is no database\n" * 500, encoding="utf-8")


def _foreign(path: Path) -> None:
    _delete(path)
    with _database(path) as database:
        database.execute("CREATE TABLE facts (title TEXT, body TEXT)")
        database.execute("INSERT INTO facts VALUES ('another', 'program')")


def _strict_foreign(path: Path) -> None:
    """Columns of the right names that refuse our rows."""
    _delete(path)
    with _database(path) as database:
        database.execute("CREATE TABLE facts (key INTEGER PRIMARY KEY, facts BLOB, seal BLOB)")


def _folder(path: Path) -> None:
    _delete(path)
    path.mkdir()


def _blocked(path: Path) -> None:
    """A file stands where the cache's folder should be."""
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


def _unblocked(path: Path) -> None:
    """The end of `folder`."""
    shutil.rmtree(path, ignore_errors=True)


def _lock(path: Path) -> None:
    """Another process holds the file exclusively; it lasts until the next preparation."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    _held.append(database)


def _reserve(path: Path) -> None:
    """Another process is about to write: reading goes on, writing waits."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    _held.append(database)


def _change_facts(path: Path) -> None:
    """Every row now says that its module uses nothing; the file stays a sound database."""
    with _rows(path) as database:
        database.execute("UPDATE facts SET facts = CAST('[[],[]]' AS BLOB)")


def _swap_rows(path: Path) -> None:
    """Every key gets the facts and the seal of its neighbour."""
    with _rows(path) as database:
        rows = database.execute("SELECT rowid, facts, seal FROM facts ORDER BY rowid").fetchall()
        for at, (rowid, _, _) in enumerate(rows):
            _, facts, seal = rows[at - 1]
            database.execute("UPDATE facts SET facts = ?, seal = ? WHERE rowid = ?", (facts, seal, rowid))


def _numbers(path: Path) -> None:
    """Facts of another type than was stored."""
    with _rows(path) as database:
        database.execute("UPDATE facts SET facts = 7, seal = 7")


def _killed_writer(path: Path) -> None:
    """A process dies in mid-transaction with pages already in the file: its journal stays behind."""
    with _rows(path):
        subprocess.run([sys.executable, "-I", "-S", "-c", DYING_WRITER, str(path)], check=False, timeout=60)


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as database, database:
        yield database


@contextmanager
def _rows(path: Path) -> Iterator[sqlite3.Connection]:
    """A database with our table, also where there was no cache yet (the baseline's folder)."""
    with _database(path) as database:
        database.execute("CREATE TABLE IF NOT EXISTS facts (key BLOB PRIMARY KEY, facts BLOB, seal BLOB)")
        yield database


ACTIONS: dict[str, Callable[[Path], None]] = {
    "delete": _delete,
    "empty": _empty,
    "truncate": _truncate,
    "text": _text,
    "foreign": _foreign,
    "strict-foreign": _strict_foreign,
    "folder": _folder,
    "unblock": _unblocked,
    "blocked": _blocked,
    "lock": _lock,
    "reserve": _reserve,
    "change-facts": _change_facts,
    "swap-rows": _swap_rows,
    "numbers": _numbers,
    "killed-writer": _killed_writer,
}
