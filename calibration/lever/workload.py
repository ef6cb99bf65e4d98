"""Numbers of orders, never the same twice in one stream."""

import random
from collections.abc import Iterator


def operations(params: dict[str, int], seed: int) -> Iterator[int]:
    number = random.Random(seed).randrange(10**6)
    while True:
        number += 1
        yield number


def canonical(result: int) -> bytes:
    return str(result).encode()


def edge_cases(params: dict[str, int]) -> Iterator[tuple[str, list[int]]]:
    yield "first order", [0]
    yield "digits change", [9_995]
