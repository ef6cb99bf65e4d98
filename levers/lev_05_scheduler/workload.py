"""LEV-05's workload: traces of a deployment profile. Owned by neither variant."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import edge_cases as edges
from lanes import Step
from traffic import segments


def operations(params: Mapping[str, Any], seed: int) -> Iterator[list[Step]]:
    """Endless trace of the profile that `params` names, cut into operations that a scheduler plays in order."""
    return segments(params["profile"], seed)


def canonical(result: object) -> bytes:
    """All of a result counts: which tasks ran in which tick, their order, what was missed, what waits."""
    return json.dumps(result, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def edge_cases(params: Mapping[str, Any]) -> Iterator[tuple[str, list[list[Step]]]]:
    """Handmade traces; the same for every scenario."""
    return edges.cases()
