"""LEV-03's workload: batches of host calls, as a guest that reuses its buffers makes them. Owned by neither variant."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import edge_cases as edges

TABLE_BYTES = 2 << 20

Operation = dict[str, Any]


def operations(params: Mapping[str, Any], seed: int) -> Iterator[Operation]:
    """Endless batches of `calls` calls out of `mix`, pairs of host function and payload size in bytes.

    A batch is its seed: the guest stamps each message with fresh bytes made from it. Seeds never recur within a
    stream, and the numbers of calls go on from batch to batch.
    """
    first = random.Random(seed).getrandbits(30)
    step = 0
    while True:
        batch_seed = (first + step * 2 + 1) & 0x7FFFFFFF
        yield {"seed": batch_seed, "calls": params["calls"], "mix": params["mix"], "tableBytes": TABLE_BYTES}
        step += 1


def canonical(result: object) -> bytes:
    """All of it counts: answers and refusals in order, what the guest reads back, what the host has seen."""
    return json.dumps(result, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def edge_cases(params: Mapping[str, Any]) -> Iterator[tuple[str, list[Operation]]]:
    """Scripts of the guest; the same for every scenario."""
    return edges.cases()
