"""From an operation to streams: files that `prepare` has written, or programs that run.

An operation is `{"fixtures": N, "runtimes": [NAME…]}`, the reference first. Its files are `WORKDIR/streams/NAME`.
With `"live": {"seed": S}` the named runtimes are run; with `"programs": {NAME: ARGUMENTS}` a stand-in is, which does
what real runtimes do when they fail.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import runtimes
from live import Live
from streams import Recorded, Stream

HERE = Path(__file__).resolve().parent
FOLDER = "streams"


def open_streams(operation: Mapping[str, Any], workdir: Path) -> list[Stream]:
    """One stream for each runtime, not yet started."""
    return [_stream(operation, name, workdir) for name in operation["runtimes"]]


def _stream(operation: Mapping[str, Any], name: str, workdir: Path) -> Stream:
    if "live" in operation:
        return runtimes.live(name, operation["live"]["seed"], operation["fixtures"])
    programs = operation.get("programs", {})
    if name not in programs:
        return Recorded(name, workdir / FOLDER / name)
    program = programs[name]
    source = workdir / FOLDER / name
    python = [program.get("python", sys.executable), "-I", "-S"]  # starts in a tenth of the shortest silence
    argv = [*python, str(HERE / "stand_in.py"), str(source), *program["arguments"]]
    return Live(name, argv, program["seconds"])
