"""Writes the files that an operation's streams read; never part of what is timed."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import perturb
from operations import FOLDER


def prepare(operation: Mapping[str, Any], workdir: Path) -> None:
    """Put `workdir/streams` into the state that the operation names."""
    folder = workdir / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, lines in operation.get("files", {}).items():
        (folder / name).write_bytes(b"".join(map(_written, lines)))
    if "recorded" in operation:
        _recorded(operation, folder)


def _recorded(operation: Mapping[str, Any], folder: Path) -> None:
    how = operation["recorded"]
    reference = operation["runtimes"][0]
    for name in operation["runtimes"]:
        planted = 0 if name == reference else how["planted"]
        lines = perturb.output(name, operation["fixtures"], how["seed"], planted, stamped=how["stamped"])
        (folder / name).write_bytes(b"".join(lines))


def _written(line: str | Mapping[str, Any]) -> bytes:
    """A line is a text; or `hex`, exactly those bytes; or `text` `repeat` times between `head` and `tail`."""
    if isinstance(line, str):
        return line.encode() + b"\n"
    if "hex" in line:
        return bytes.fromhex(line["hex"])
    text: str = line["head"] + line["text"] * line["repeat"] + line["tail"]
    return text.encode() + b"\n"
