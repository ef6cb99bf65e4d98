"""The golden bundles: good ones, and bad ones that each are wrong in one way. Read here, made by `make golden`.

`base/` is a whole bundle. Every other one is what differs from it: the files that are other, `removed.txt` with the
names of those that are gone, and `expect.json`: whether it is accepted, and by which check it is refused.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from prfpipe.attest.signing import PublicKey
from prfpipe.attest.trust import Trust

ROOT = Path(__file__).parent
BASE, CASES = ROOT / "base", ROOT / "cases"
TRUSTED = ROOT / "keys" / "golden-test-key-trusted.pub"
_OURS = {"expect.json", "removed.txt"}

Files = dict[str, bytes]


@dataclass(frozen=True)
class Golden:
    """One bundle. `refused_by`: the check that must fail; empty for a bundle that must be accepted."""

    name: str
    files: Files
    refused_by: str
    verdict: str


def read_folder(folder: Path) -> Files:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def golden(name: str) -> Golden:
    folder = CASES / name
    expected = json.loads((folder / "expect.json").read_text())
    removed = (folder / "removed.txt").read_text().split() if (folder / "removed.txt").exists() else []
    kept = {file: data for file, data in read_folder(BASE).items() if file not in removed}
    changed = {file: data for file, data in read_folder(folder).items() if file not in _OURS}
    return Golden(name, {**kept, **changed}, expected["refused_by"], expected["verdict"])


def names() -> list[str]:
    return sorted(path.name for path in CASES.iterdir())


def trust() -> Trust:
    return Trust.in_keys(PublicKey.from_pem(TRUSTED.read_bytes(), TRUSTED.name))


def write(files: Files, folder: Path) -> Path:
    """A bundle in a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
