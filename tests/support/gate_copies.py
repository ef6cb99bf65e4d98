"""Copies of the repository's gates, of which a test replaces parts; the runtime stays the one of the repository."""

import shutil
from pathlib import Path

from prfpipe.gates.spec import Gate, load_gate

GATES = Path(__file__).resolve().parents[2] / "gates"


def copy_of(tmp_path: Path, folder: str, **replaced: tuple[str, str]) -> Gate:
    """The gate of `folder`; in its file `NAME.py` or `NAME.yaml` the first text is replaced by the second."""
    copy = tmp_path / "gates" / folder
    shutil.copytree(GATES / folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    # A link of the whole folder: the runtime finds the levers beside the place where it really lies.
    (tmp_path / "gates" / "runtime").symlink_to(GATES / "runtime")
    for name, (old, new) in replaced.items():
        (path,) = copy.glob(f"{name}.*")
        source = path.read_text(encoding="utf-8")
        assert old in source, f"{old!r} is not in {path.name}"
        path.write_text(source.replace(old, new), encoding="utf-8")
    return load_gate(copy)
