"""Small bundles to archive and fetch, and a store that fails between two puts."""

import json
from collections.abc import Mapping
from pathlib import Path

from prfpipe.digests import sha256_hex
from prfpipe.errors import StoreUnavailableError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store import Store
from prfpipe.store.evidence import archive

RUN = "20261123T081500Z-lev-01-3f9c2a7b"
LATER = "20261124T081500Z-lev-01-00000001"
OTHER_LEVER = "20261123T200000Z-lev-02-00000002"
FILES = {
    "plan.json": b"{}",
    "art-01-baseline/report.json": b'{"a": 1}',
    "art-01-baseline/samples.jsonl.gz": bytes(range(256)) * 5000,
    "empty": b"",
}


def manifest_of(files: Mapping[str, bytes]) -> dict[str, FileDigest]:
    return {name: FileDigest(sha256=sha256_hex(data), size=len(data)) for name, data in files.items()}


def statement_of(manifest: Mapping[str, FileDigest]) -> bytes:
    return json.dumps({name: digest.model_dump() for name, digest in manifest.items()}).encode()


def read_manifest(statement: bytes) -> dict[str, FileDigest]:
    return {name: FileDigest(**digest) for name, digest in json.loads(statement).items()}


def make_bundle(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    for name, data in {**files, STATEMENT: statement_of(manifest_of(files))}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def keep(store: Store, folder: Path, run_id: str = RUN, lever: str = "LEV-01") -> str:
    return archive(store, make_bundle(folder), lever, run_id, manifest_of(FILES))


def commit(store: Store, manifest: Mapping[str, FileDigest]) -> None:
    """Commit a hostile statement."""
    statement = statement_of(manifest)
    store.put(f"evidence/v1/lev-01/{RUN}/{STATEMENT}", statement, sha256_hex(statement))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Watched:
    """A store that notes its puts, and fails at the one with the number `fail_at`."""

    def __init__(self, store: Store, fail_at: int | None = None) -> None:
        self._store = store
        self._fail_at = fail_at
        self.puts: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, key: str, data: bytes | Path, sha256: str) -> None:
        if len(self.puts) == self._fail_at:
            raise StoreUnavailableError("the plug was pulled", hint="Put it in again.")
        self.puts.append(key.rpartition(f"{RUN}/")[2])
        self._store.put(key, data, sha256)
