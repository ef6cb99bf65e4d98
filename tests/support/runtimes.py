"""A runtime on a small state folder: what it is asked to do, and what it has put on record."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gates.runtime import levers, publisher
from gates.runtime.audit import events
from gates.runtime.core import Runtime

ROOT = Path(__file__).parents[2]
ECHO = """
import pluggy

@pluggy.HookimplMarker("gates")
def handle(event):
    return event["text"]
"""
EXTENSIONS = {"redact_1": ECHO, "tally_1": ECHO.replace('["text"]', '["kind"]')}
EVENT = {"kind": "saved", "text": "hello"}
TRACE = [[0, 0, 0], [1, 5, 0], [3, 1, 4]]
RAN = {"ran": [[0]], "missed": [], "pending": [0, 1, 0]}
CHECK: dict[str, Any] = {"settings": {}}
COMPARE: dict[str, Any] = {"fixtures": 1, "runtimes": ["one", "two"], "recorded": {}}
POLICIES = (ROOT / "gates" / "runtime" / "policies.cedar").read_text(encoding="utf-8")
SUSPENDED = 'forbid(principal == Extension::"redact_1", action, resource);'

Start = Callable[..., Runtime]


def recorded(state: Path) -> list[dict[str, Any]]:
    """All records of a runtime's log."""
    return events(state / "audit.log", (state / "trust" / "audit.key").read_bytes())


def killed(runtime: Runtime) -> None:
    """What the kernel does for a process that was killed: its files are closed as they are."""
    assert runtime.guard.audit is not None
    os.close(runtime.guard.audit._descriptor)
    runtime.guard.audit = None


def sign(folder: Path, version: int, **options: Any) -> None:
    """Sign a folder as it is now, beside it."""
    envelope = publisher.sign_folder(folder, folder.name, version, **options)
    (folder.parent / f"{folder.name}.manifest").write_bytes(envelope)


def write_stream(path: Path, corpus: str, answer: str = "1") -> None:
    """What a runtime printed for one fixture of a corpus."""
    lines = [f'["#begin","{path.name}","1",1,"7:{corpus}"]', f'[0,"a.b",{answer}]', '["#end",1]']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_project(folder: Path) -> Path:
    """A signed project of two modules."""
    (folder / "lib").mkdir(parents=True)
    (folder / "a.js").write_text("require('fs').readFileSync('x');\n", encoding="utf-8")
    (folder / "lib" / "b.js").write_text("module.exports = 1;\n", encoding="utf-8")
    sign(folder, 1)
    return folder


def make_streams(folder: Path) -> Path:
    """Signed streams of two runtimes that agree."""
    folder.mkdir()
    manifest = levers.LEVERS / "lev_02_lockstep" / "recordings" / "manifest.json"
    corpus = json.loads(manifest.read_bytes())["corpus"]
    for name in COMPARE["runtimes"]:
        write_stream(folder / name, corpus)
    sign(folder, 1)
    return folder
