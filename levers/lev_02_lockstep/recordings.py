"""Outputs of real runtimes for the whole corpus, and their digests."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "recordings"
MANIFEST = "manifest.json"


class RecordingError(ValueError):
    """A recording is not there, or not what was recorded."""


def manifest() -> dict[str, Any]:
    """`corpus` (digest of the scripts), `seed`, `count`, and per runtime `file`, `sha256` and `recorded` (date)."""
    found: dict[str, Any] = json.loads((FOLDER / MANIFEST).read_bytes())
    return found


@cache
def lines(name: str) -> Sequence[bytes]:
    """All lines of a recording: the header, one for each fixture, the end. `name` is `RUNTIME-VERSION`.

    Raises:
        RecordingError: there is none of that name, or its content is not what was recorded.
    """
    entry = manifest()["runtimes"].get(name)
    if entry is None:
        raise RecordingError(f"no recording of {name!r}; record it with record.py")
    path = FOLDER / entry["file"]
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as problem:
        raise RecordingError(f"{path} cannot be read: {problem}") from problem
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise RecordingError(f"{path} is not what was recorded; record it again with record.py")
    return tuple(data.splitlines(keepends=True))


def write(name: str, data: bytes, recorded: str) -> None:
    """Put a recording and its entry in place; the same data makes the same file."""
    entry = {"file": f"{name}.jsonl.gz", "sha256": hashlib.sha256(data).hexdigest(), "recorded": recorded}
    (FOLDER / entry["file"]).write_bytes(gzip.compress(data, mtime=0))
    held = manifest()
    held["runtimes"] = dict(sorted({**held["runtimes"], name: entry}.items()))
    (FOLDER / MANIFEST).write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
