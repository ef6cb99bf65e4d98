"""What both variants have to do; owned by neither of them."""

import json
import random
from collections.abc import Iterable, Iterator

_WORDS = [f"w{number}" for number in range(300)]


def operations(params: dict[str, int], seed: int) -> Iterator[str]:
    """Endless, and never the same input twice within a run."""
    rng = random.Random(seed)
    while True:
        yield " ".join(rng.choices(_WORDS, k=params["words"]))


def canonical(result: object) -> bytes:
    """What the oracle compares; key order counts, since callers iterate over the result."""
    return json.dumps(result).encode()


def edge_cases(params: dict[str, int]) -> Iterable[tuple[str, list[str]]]:
    """Named sequences of operations that reach every line of the optimized path."""
    yield "empty text", [""]
    yield "white space only", [" \t\n"]
    yield "one word many times", ["a " * 1000]
    yield "words that look like numbers or keys", ["1 01 __proto__ é e\u0301"]
