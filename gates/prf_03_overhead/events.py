"""What an extension host is asked to do: extensions come and go, events are dispatched between."""

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

KINDS = ("opened", "changed", "saved", "closed")
WORDS = ("# part", "runtime", "key=s3cret", "\n", "module", "loads", "token=abc", "what", "it", "uses")


def operations(params: Mapping[str, Any], seed: int, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Endless: `registered` extensions first, later the one that is longest there goes and another comes; `events`."""
    rng = random.Random(seed)
    waiting = deque(rng.sample(names, len(names)))
    there: deque[str] = deque()
    while True:
        add = [waiting.popleft() for _ in range(params["registered"])] if not there else [waiting.popleft()]
        remove = [there.popleft()] if there else []
        there.extend(add)
        waiting.extend(remove)
        yield {"add": add, "remove": remove, "events": [_event(rng) for _ in range(params["events"])]}


def _event(rng: random.Random) -> dict[str, str]:
    return {"kind": rng.choice(KINDS), "text": " ".join(rng.choices(WORDS, k=rng.randrange(10, 60)))}
