"""When what is due under extension churn: a schedule of segments from a seed. Pure.

Each cycle has the same traffic; under churn one extension leaves in it and another comes right after, or the other
way round, so that both arms hold the same number of extensions. What is due does not depend on what was answered.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Arm = Literal["static", "churn"]
ARMS: tuple[Arm, ...] = ("static", "churn")
ADD, REMOVE = "register", "unregister"
Step = tuple[int, str, int]
"""Due so many ns after the segment's origin; the kind of the operation; its number among those of its kind."""


@dataclass(frozen=True)
class Traffic:
    """`per_cycle`: how many operations of each kind are due in one cycle of `cycle_ns`; `cycles` make a segment."""

    cycle_ns: int
    cycles: int
    per_cycle: Mapping[str, int]

    def cycles_for(self, count: int, kinds: Sequence[str]) -> int:
        """How many cycles give `count` operations of each kind."""
        return max((-(-count // self.per_cycle.get(kind, 1)) for kind in kinds), default=0)


def segment(traffic: Traffic, arm: Arm, number: int, seed: int) -> list[Step]:
    """The `number`-th segment: what is due in order; without its churn, the static arm's is the same.

    Each operation is due at a random moment of a slot of its own, slots being equal shares of a cycle in random order.
    """
    rng = random.Random(seed)
    cycles = (
        step
        for cycle in range(traffic.cycles)
        for step in _cycle(traffic, cycle * traffic.cycle_ns, number * traffic.cycles + cycle, rng)
    )
    return [step for step in cycles if arm == "churn" or step[1] not in {ADD, REMOVE}]


def back_to_back(times: Sequence[tuple[int, int]], behind_ns: int, length_ns: int) -> tuple[list[int], int]:
    """When each step of a segment would have begun without the pause before it, and by how much its end is late.

    Between two segments a subject is left alone, which would forgive it what it is behind. Each step waits for the one
    before it (Lindley 1952, "The theory of queues with a single server"). `times`: when each began and ended, in ns of
    its segment of `length_ns`; `behind_ns`: by how much the segment before it ended late.
    """
    begun: list[int] = []
    free = behind_ns
    for start, end in times:
        begun.append(max(start, free))
        free = begun[-1] + end - start
    return begun, max(free - length_ns, 0)


def _cycle(traffic: Traffic, start: int, cycle: int, rng: random.Random) -> list[Step]:
    pair = rng.sample((ADD, REMOVE), 2)
    usual = [(kind, cycle * count + k) for kind, count in traffic.per_cycle.items() for k in range(count)]
    rng.shuffle(usual)
    at = rng.randrange(len(usual) + 1)
    order = [*usual[:at], *((kind, cycle) for kind in pair), *usual[at:]]
    slot = traffic.cycle_ns // len(order)
    return [(start + k * slot + rng.randrange(slot), kind, number) for k, (kind, number) in enumerate(order)]
