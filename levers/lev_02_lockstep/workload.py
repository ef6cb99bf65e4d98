"""LEV-02's workload: outputs of real runtimes, made anew for every comparison. Owned by neither variant."""

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
    """Endless runs of the same runtimes, no two alike.

    `fixtures` (number), `runtimes` (the reference first) and either `live: true`, where the runtimes answer fresh
    fixtures, or `planted` (divergences in each runtime but the reference) and `stamped` for recorded outputs.
    """
    start = random.Random(seed).getrandbits(30) * 1000
    for number in itertools.count(start):
        operation = {"fixtures": params["fixtures"], "runtimes": params["runtimes"]}
        if params.get("live"):
            yield operation | {"live": {"seed": number % 2**31}}
        else:
            how = {"seed": str(number), "planted": params["planted"], "stamped": params.get("stamped", False)}
            yield operation | {"recorded": how}


def canonical(result: object) -> bytes:
    """Order matters everywhere in a report, except for the keys of objects."""
    return json.dumps(result, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def edge_cases(params: Mapping[str, Any]) -> Iterator[tuple[str, list[Operation]]]:
    """Handmade outputs, failing programs, live runtimes; the same for every scenario."""
    return edges.cases()


def prepare(operation: Operation, params: Mapping[str, Any], workdir: Path) -> None:
    """Put `workdir` into the state that the operation names."""
    world.prepare(operation, workdir)
