"""LEV-01's workload: a project that changes between checks. Owned by neither variant."""

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import edge_cases as edges
import world

Operation = dict[str, Any]


def operations(params: Mapping[str, Any], seed: int) -> Iterator[Operation]:
    """Endless states of a project; from one to the next, `changed_percent` of its `modules` change.

    Edits stay, so the project drifts away from the corpus as a real one does. Numbers of edits never recur
    within a stream, nor do contents. At 0 % only the files' times change: that nothing changed is the input.
    """
    count = params["modules"]
    changed = -(-count * params["changed_percent"] // 100)
    rng = random.Random(seed)
    edits: dict[str, int] = {}
    for index, number in enumerate(itertools.count(rng.getrandbits(30) * 100_000)):
        edits |= {str(at): number for at in rng.sample(range(count), changed)}
        yield {"index": index, "modules": count, "edits": dict(edits), "settings": {}}


def canonical(result: object) -> bytes:
    """Order matters everywhere in a report, except for the keys of objects."""
    return json.dumps(result, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def edge_cases(params: Mapping[str, Any]) -> Iterator[tuple[str, list[Operation]]]:
    """Small handmade projects and damaged caches; the same for every scenario."""
    return edges.cases()


def prepare(operation: Operation, params: Mapping[str, Any], workdir: Path) -> None:
    """Put `workdir` into the state that the operation names."""
    world.prepare(operation, workdir)
