"""Puts a project and its cache into the state that an operation names; never part of what is timed.

A corpus operation says which modules carry which edit; a handmade one lists its files. Both say the whole
state, so that any operation may follow any other.
"""

import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import corpus
import sabotage
from edits import edit
from project import path_of

STATE = "state.json"


def prepare(operation: Mapping[str, Any], workdir: Path) -> None:
    """Make `workdir/project` what the operation says, then do to `workdir/cache` what it says."""
    project = workdir / "project"
    if "files" in operation:
        _handmade(project, operation["files"])
    else:
        _corpus(project, workdir / STATE, operation)
    sabotage.apply(operation.get("cache", "keep"), workdir / "cache")


def _corpus(project: Path, state: Path, operation: Mapping[str, Any]) -> None:
    names = corpus.names(operation["modules"])
    wanted: dict[str, int] = operation["edits"]
    held: dict[str, int] | None = json.loads(state.read_bytes()) if state.exists() else None
    stale = range(len(names)) if held is None else sorted(
        int(at) for at in wanted.keys() | held.keys() if wanted.get(at) != held.get(at)
    )  # fmt: skip
    for at in stale:
        _write(project / names[at], _content(names[at], wanted.get(str(at))))
    if not stale:
        _touch(project / name for name in names)
    state.write_text(json.dumps(wanted), encoding="utf-8")


def _content(name: str, number: int | None) -> bytes:
    source = _pristine(name)
    return source if number is None else edit(source, name, number)


@cache
def _pristine(name: str) -> bytes:
    """Read and checked once: some megabytes of memory against seconds of each invocation."""
    return corpus.source(name)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _touch(paths: Iterable[Path]) -> None:
    """Nothing changed but the times, as after a checkout back and forth."""
    for path in paths:
        path.touch()


def _handmade(project: Path, files: Mapping[str, Any]) -> None:
    """Replace the project by exactly `files`: name (as displayed) to text, or to what `_place` knows."""
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    for name, content in files.items():
        path = Path(os.fsdecode(bytes(project) + b"/" + path_of(name)))
        path.parent.mkdir(parents=True, exist_ok=True)
        _place(path, {"text": content} if isinstance(content, str) else content, project)


def _place(path: Path, content: Mapping[str, Any], project: Path) -> None:
    """One file: `text` (`repeat` times), `hex`, `symlink`, `hardlink`, `folder`, `pipe`; `mtime` in s."""
    if "symlink" in content:
        path.symlink_to(content["symlink"])
    elif "hardlink" in content:
        path.hardlink_to(project / content["hardlink"])
    elif "folder" in content:
        path.mkdir()
    elif "pipe" in content:
        os.mkfifo(path)
    else:
        text = content.get("text", "").encode() * content.get("repeat", 1)
        path.write_bytes(bytes.fromhex(content["hex"]) if "hex" in content else text)
        when = content.get("mtime", time.time())
        os.utime(path, (when, when))
