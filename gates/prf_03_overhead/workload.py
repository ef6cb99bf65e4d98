"""PRF-03's workload: turns of the runtime's hot paths, made by the levers' own workloads. Owned by neither variant.

`params`: the hot path (`path`), how many operations one turn releases together (`turn`), how many turns are asked for
by two clients, each of which waits for its results before it asks again (`turns`, by default one turn of one client),
and what the lever's workload wants to know (`lever`). `signed: true` has lockstep's streams recorded and signed by a
publisher.
"""

import itertools
import json
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import events

from gates.runtime import levers, publisher

Operation = dict[str, Any]
FOLDERS = {
    "compat": "lev_01_compat_cache",
    "lockstep": "lev_02_lockstep",
    "hostcalls": "lev_03_zero_copy",
    "policies": "lev_04_batch_policy",
    "scheduler": "lev_05_scheduler",
}
CALLERS = sorted(publisher.shipped_extensions())


def operations(params: Mapping[str, Any], seed: int) -> Iterator[Operation]:
    """Endless; each turn is asked for by one of the runtime's extensions."""
    rng = random.Random(seed)
    stream = _stream(params, seed)
    for number in itertools.count(1):
        turns = [_turn(rng, stream, params["turn"]) for _ in range(params.get("turns", 1))]
        yield {"path": params["path"], "number": number, "turns": turns}


def canonical(result: object) -> bytes:
    """All of it counts, and the order of the results; keys of objects have no order."""
    return json.dumps(result, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def edge_cases(params: Mapping[str, Any]) -> Iterator[tuple[str, list[Operation]]]:
    """One operation of the scenario; what each path has to get right is proven where its lever is."""
    yield "one operation", list(itertools.islice(operations(params, 1), 1))


def prepare(operation: Operation, params: Mapping[str, Any], workdir: Path) -> bool:
    """Install the runtime's state once; then put what the turn reads into place, and sign it as its publisher does.

    Returns whether that will do for all later turns: most paths read nothing.
    """
    if not (workdir / "state").exists():
        publisher.install(workdir / "state")
    path = operation["path"]
    if path not in {"compat", "lockstep"}:
        return True
    ((lever_operation,),) = (turn["operations"] for turn in operation["turns"])
    _lever(path).workload.prepare(lever_operation, params.get("lever", {}), workdir)
    name = "project" if path == "compat" else "streams"
    if path == "compat" or lever_operation.get("recorded", {}).get("signed"):
        envelope = publisher.sign_folder(workdir / name, name, operation["number"])
        (workdir / f"{name}.manifest").write_bytes(envelope)
    os.sync()  # otherwise the disk is busy with what was prepared while a turn waits for its flush
    return False


def _turn(rng: random.Random, stream: Iterator[Any], size: int) -> dict[str, Any]:
    return {"by": rng.choice(CALLERS), "operations": list(itertools.islice(stream, size))}


def _stream(params: Mapping[str, Any], seed: int) -> Iterator[Any]:
    path = params["path"]
    if path == "extensions":
        return events.operations(params["lever"], seed, CALLERS)
    stream: Iterator[Any] = _lever(path).workload.operations(params["lever"], seed)
    return map(_signed, stream) if params.get("signed") else stream


def _signed(operation: Operation) -> Operation:
    return operation | {"recorded": operation["recorded"] | {"signed": True}}


def _lever(path: str) -> SimpleNamespace:
    return levers.load(FOLDERS[path], "workload")
