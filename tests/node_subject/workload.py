"""Words to count. Shared by both variants, whatever language they are written in."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

Operation = dict[str, list[str]]


def operations(params: dict[str, Any], seed: int) -> Iterator[Operation]:
    rng = random.Random(seed)
    while True:
        yield {"words": [f"word-{rng.randrange(params['words'])}" for _ in range(params["words"])]}


def canonical(result: object) -> bytes:
    return json.dumps(result, sort_keys=True).encode()


def edge_cases(params: dict[str, Any]) -> Iterable[tuple[str, list[Operation]]]:
    yield "no words", [{"words": []}]
    yield "names of an object's own properties", [{"words": ["__proto__", "constructor", "__proto__"]}]
    yield "beyond the basic plane, and an unpaired surrogate", [{"words": ["𝕨", "\ud835", "𝕨"]}]
    yield "the same words twice over", [{"words": ["a", "b"]}, {"words": ["a", "b"]}]
