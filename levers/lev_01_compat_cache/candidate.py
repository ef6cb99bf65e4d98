"""The check with a cache of facts on disk: only modules whose content was never seen are analysed.

What is cached depends on nothing but its key: the source, and the identity of all that turns a source into
facts. There is nothing to invalidate. Whatever is wrong with the cache costs time and never changes an
answer: a row is believed only if its seal, made over key and facts, is right, and any error of the database
means "not cached".
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from analyser import analyse
from compat import check
from grammars import identity
from project import Facts, Module

SCHEMA = "CREATE TABLE IF NOT EXISTS facts (key BLOB PRIMARY KEY, facts BLOB NOT NULL, seal BLOB NOT NULL)"
ROWS = 20_000
"""Above this many rows, the oldest ones that the running check did not use are evicted."""

WAIT_SECONDS = 0.2
"""How long a check waits for another one that is writing; past it, it goes on without the cache."""

DAMAGED = {
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH,
}  # fmt: skip
"""Error codes of a file that is damaged or not ours; all others may pass (locked, full, read-only)."""


class Subject:
    """Checks the project in `workdir/project` with the cache in `workdir/cache`.

    Each operation opens and closes the cache. Settings that only a cache has: `cache_rows` and `cache_pages` bound it.
    """

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._project = workdir / "project"
        self._cache = workdir / "cache" / "facts.sqlite3"
        self._keys = Keys()

    def operate(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The report of the project as it stands now."""
        settings = operation["settings"]
        with self._open(settings) as cache:
            return check(self._project, settings, cache.facts_of)

    def _open(self, settings: Mapping[str, Any]) -> "FactCache":
        return FactCache(self._cache, self._keys, settings)

    def close(self) -> None:
        """The cache is closed after each operation."""


def fields(parts: Iterable[bytes]) -> bytes:
    """Parts joined so that no other parts give the same bytes: each stands behind its length."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


class Keys:
    """Keys of sources; what all sources of one dialect share is hashed once."""

    def __init__(self) -> None:
        self._shared: dict[str, Any] = {}

    def key(self, source: bytes, dialect: str) -> bytes:
        """32 bytes that name the facts of `source` under today's analyser."""
        shared = self._shared.get(dialect)
        if shared is None:
            shared = self._shared[dialect] = hashlib.sha256(fields(identity(dialect)))
        hasher = shared.copy()
        hasher.update(len(source).to_bytes(8, "big"))
        hasher.update(source)
        digest: bytes = hasher.digest()
        return digest


def seal(key: bytes, facts: bytes) -> bytes:
    """Digest that binds stored facts to their key; the key's length is fixed, so joining is unambiguous."""
    return hashlib.sha256(key + facts).digest()


def _encoded(facts: Facts) -> bytes:
    return json.dumps(facts, separators=(",", ":")).encode()


class FactCache:
    """One check's view of the cache; facts that it had to work out are written when it ends well."""

    def __init__(self, path: Path, keys: Keys, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._keys = keys
        self._rows: int = settings.get("cache_rows", ROWS)
        self._pages: int = settings.get("cache_pages", 0)
        self._database: sqlite3.Connection | None = None
        self._used: set[bytes] = set()
        self._fresh: dict[bytes, Facts] = {}

    def __enter__(self) -> "FactCache":
        with self._surviving():
            self._connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._fresh and kind is None:
            with self._surviving():
                self._store(self._database or self._connect())
        self._disconnect()

    def facts_of(self, module: Module) -> Facts:
        """Facts of one module: from the cache, or worked out from the very bytes that were hashed."""
        source = module.data or b""
        key = self._keys.key(source, module.dialect)
        self._used.add(key)
        facts = self._fresh.get(key) or self._stored(key)
        if facts is None:
            facts = self._fresh[key] = analyse(source, module.dialect)
        return facts

    def _stored(self, key: bytes) -> Facts | None:
        if self._database is None:
            return None
        row = None
        with self._surviving():
            row = self._database.execute("SELECT facts, seal FROM facts WHERE key = ?", (key,)).fetchone()
        if row is None or not isinstance(row[0], bytes) or seal(key, row[0]) != row[1]:
            return None
        facts: Facts = json.loads(row[0])
        return facts

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=WAIT_SECONDS, isolation_level=None)
        self._database = database
        database.text_factory = bytes
        # A lost or torn write after a power cut is caught by the seals, so nothing waits for the disk; a journal
        # that is cut is cheaper than one made and deleted for each check.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = TRUNCATE")
        database.execute(f"PRAGMA max_page_count = {self._pages}")
        database.execute(SCHEMA)
        return database

    def _store(self, database: sqlite3.Connection) -> None:
        rows = ((key, _encoded(facts)) for key, facts in self._fresh.items())
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "INSERT OR REPLACE INTO facts (key, facts, seal) VALUES (?, ?, ?)",
            ((key, facts, seal(key, facts)) for key, facts in rows),
        )
        self._evict(database)
        database.execute("COMMIT")

    def _evict(self, database: sqlite3.Connection) -> None:
        (held,) = database.execute("SELECT count(*) FROM facts").fetchone()
        if held <= self._rows:
            return
        # A quarter more than needed, so that a full cache does not evict in every check.
        excess = held - self._rows * 3 // 4
        oldest = database.execute("SELECT key FROM facts ORDER BY rowid").fetchall()
        unused = [row for row in oldest if row[0] not in self._used]
        database.executemany("DELETE FROM facts WHERE key = ?", unused[:excess])

    @contextlib.contextmanager
    def _surviving(self) -> Iterator[None]:
        """Any failure of the cache ends its use in this step, and a damaged file is thrown away."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
                self._discard()

    def _discard(self) -> None:
        # Journals first: a journal that outlives its database would be rolled into the next one.
        with contextlib.suppress(OSError):
            for suffix in ("-journal", "-wal", "-shm", ""):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
