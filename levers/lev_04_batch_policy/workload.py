"""LEV-04's workload: batches of requests as an extension host sends them. Owned by neither variant."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import edge_cases as edges
import traffic

Operation = dict[str, Any]


def operations(params: Mapping[str, Any], seed: int) -> Iterator[Operation]:
    """Endless batches; times go on from one to the next, so no request ever comes twice."""
    return traffic.batches(params, seed)


def canonical(result: object) -> bytes:
    """Every part of an answer counts, and the order of the answers; keys of objects have no order."""
    return json.dumps(result, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def edge_cases(params: Mapping[str, Any]) -> Iterator[tuple[str, list[Operation]]]:
    """Small handmade worlds, loaded by the first item of each case; the same for every scenario."""
    return edges.cases()
