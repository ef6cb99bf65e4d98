"""Traces for a deployment profile of profiles.json: what a scheduler is asked to do there, from a seed."""

import heapq
import json
import random
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from lanes import CANCEL, READY, TICK, TIMED, Step

PROFILES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("profiles.json").read_text("utf-8"))
SEGMENT = 3000
"""Steps of one operation, at least; it ends with the tick that reaches them."""


def segments(profile: str, seed: int) -> Iterator[list[Step]]:
    """Endless trace of a profile, cut into operations. The first one also sets the timers that are open at start."""
    traffic = Traffic(PROFILES[profile], random.Random(seed))
    steps = traffic.start()
    while True:
        while len(steps) < SEGMENT:
            steps += traffic.tick()
        yield steps
        steps = []


class Traffic:
    """Keeps the clock and the numbers of tasks, so that it can cancel tasks that are there.

    A cancellation is planned when its task is scheduled: a timeout is cancelled because what it guards has ended.
    Some come too late, as they do in life.
    """

    def __init__(self, profile: dict[str, Any], rng: random.Random) -> None:
        self._profile, self._rng = profile, rng
        self._now = self._tasks = 0
        self._planned: list[tuple[int, int]] = []
        self._timers = profile["timers"]
        self._shares = [timer["share"] for timer in self._timers]

    def start(self) -> list[Step]:
        """Timers that are open before the trace begins, somewhere in the middle of their lives.

        As many as arrive in the time that one stays (Little's law), so that the number neither grows nor shrinks.
        """
        kinds = [(timer, cancelled) for timer in self._timers for cancelled in (False, True)]
        stays = [_share(*kind) * _stay(*kind) for kind in kinds]
        count = round(self._timers_per_us() * sum(stays))
        return [self._open(*kind) for kind in self._rng.choices(kinds, stays, k=count)]

    def tick(self) -> list[Step]:
        """What comes in between two ticks in random order, then the tick."""
        steps = [self._arrival() for _ in range(self._arrivals())]
        while self._planned and self._planned[0][0] <= self._now:
            steps.append([CANCEL, heapq.heappop(self._planned)[1], 0])
        elapsed = self._elapsed()
        self._now += elapsed
        return [*steps, [TICK, elapsed, self._profile["slots"]]]

    def _arrivals(self) -> int:
        chance, factor = self._profile["burst"]
        mean = self._profile["arrivals"] * (factor if self._rng.random() < chance else 1)
        return self._rng.randint(0, 2 * mean)

    def _elapsed(self) -> int:
        chance, low, high = self._profile["idle"]
        if self._rng.random() < chance:
            return self._rng.randint(low, high)
        return self._rng.randint(*self._profile["tick_us"])

    def _arrival(self) -> Step:
        if self._rng.random() >= self._profile["ready_share"]:
            (timer,) = self._rng.choices(self._timers, self._shares)
            return self._open(timer, self._rng.random() < timer["cancelled"], lived=0)
        if self._rng.random() < self._profile["ready_cancelled"]:
            heapq.heappush(self._planned, (self._now, self._tasks))
        self._tasks += 1
        return [READY, 0, 0]

    def _open(self, timer: dict[str, Any], cancelled: bool, lived: float | None = None) -> Step:
        """A timer of which the share `lived` of its life has passed, by default any."""
        left = 1 - (self._rng.random() if lived is None else lived)
        delay = self._rng.randint(*timer["delay_us"])
        if cancelled:
            after = int(self._rng.randint(*timer["after_us"]) * left)
            heapq.heappush(self._planned, (self._now + after, self._tasks))
        self._tasks += 1
        return [TIMED, delay if cancelled else int(delay * left), 0]

    def _timers_per_us(self) -> float:
        chance, factor = self._profile["burst"]
        arrivals = self._profile["arrivals"] * (1 + chance * (factor - 1))
        idle, *gap = self._profile["idle"]
        elapsed = idle * mean(gap) + (1 - idle) * mean(self._profile["tick_us"])
        return float(arrivals * (1 - self._profile["ready_share"]) / elapsed)


def _share(timer: dict[str, Any], cancelled: bool) -> float:
    """Of all timers, those of one sort that are (or are not) cancelled."""
    chance: float = timer["cancelled"] if cancelled else 1 - timer["cancelled"]
    return chance * float(timer["share"])


def _stay(timer: dict[str, Any], cancelled: bool) -> float:
    """Mean time in microseconds that such a timer is open."""
    return float(mean(timer["after_us" if cancelled else "delay_us"]))
