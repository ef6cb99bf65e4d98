"""The scheduler as it is shipped today: two queues and a heap with lazy deletion, one decision for each slot.

Its parts are those of asyncio's event loop: `deque` for what is first in, first out; `heapq` (in C) for timers; a
cancelled task stays where it is until it comes to the front; the heap is made anew when more than half of it is
cancelled. The tasks that are alive are counted for each lane, so a decision never searches.
"""

from collections import deque
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Any

from lanes import (
    CANCEL,
    CANCEL_LANE,
    READY,
    READY_LANE,
    STARVATION_TICKS,
    STREAK_LIMIT,
    TIMED,
    TIMED_LANE,
    Outcome,
    Step,
)

MIN_CANCELLED = 100
"""Cancelled timers below this number are left to come to the front; asyncio's number."""


class Subject:
    """Plays a trace; clock, lanes and numbers of tasks stay from one trace to the next."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._now = self._tasks = self._streak = 0
        self._finalizers: deque[int] = deque()
        self._heap: list[tuple[int, int]] = []
        self._queue: deque[int] = deque()
        self._timed: set[int] = set()
        self._ready: set[int] = set()
        self._waited = [0, 0, 0]

    def operate(self, trace: list[Step]) -> Outcome:
        """What ran in each tick, which cancellations came too late, and what waits now."""
        ran: list[list[int]] = []
        missed: list[int] = []
        task, heap, add_timed = self._tasks, self._heap, self._timed.add
        add_to_queue, add_ready = self._queue.append, self._ready.add
        for kind, first, second in trace:
            if kind == READY:
                add_to_queue(task)
                add_ready(task)
                task += 1
            elif kind == TIMED:
                heappush(heap, (self._now + first, task))
                add_timed(task)
                task += 1
            elif kind == CANCEL:
                if not self._cancel(first):
                    missed.append(first)
            else:
                ran.append(self._tick(first, second))
        self._tasks = task
        return {"ran": ran, "missed": missed, "pending": self._pending()}

    def close(self) -> None:
        """Nothing is held outside of the process."""

    def _pending(self) -> list[int]:
        return [len(self._finalizers), len(self._timed), len(self._ready)]

    def _cancel(self, task: int) -> bool:
        if task in self._timed:
            self._timed.remove(task)
            self._compact()
        elif task in self._ready:
            self._ready.remove(task)
        else:
            return False
        self._finalizers.append(task)
        return True

    def _compact(self) -> None:
        cancelled = len(self._heap) - len(self._timed)
        if cancelled > MIN_CANCELLED and cancelled * 2 > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[1] in self._timed]
            heapify(self._heap)

    def _tick(self, elapsed: int, slots: int) -> list[int]:
        self._now += elapsed
        ran: list[int] = []
        served = [False, False, False]
        for _ in range(slots):
            lane = self._choose(*self._runnable())
            if lane is None:
                break
            ran.append(self._serve(lane))
            served[lane] = True
        self._age(served)
        return ran

    def _runnable(self) -> tuple[bool, bool, bool]:
        return bool(self._finalizers), self._is_due(), bool(self._ready)

    def _is_due(self) -> bool:
        heap = self._heap
        while heap and heap[0][1] not in self._timed:
            heappop(heap)
        return bool(heap) and heap[0][0] <= self._now

    def _choose(self, cancel: bool, timed: bool, ready: bool) -> int | None:
        """The lane that gets the next slot."""
        if self._streak >= STREAK_LIMIT and (timed or ready):
            cancel = False
        waited = self._waited
        if cancel and waited[CANCEL_LANE] >= STARVATION_TICKS[CANCEL_LANE]:
            return CANCEL_LANE
        if timed and waited[TIMED_LANE] >= STARVATION_TICKS[TIMED_LANE]:
            return TIMED_LANE
        if ready and waited[READY_LANE] >= STARVATION_TICKS[READY_LANE]:
            return READY_LANE
        if cancel:
            return CANCEL_LANE
        if timed:
            return TIMED_LANE
        return READY_LANE if ready else None

    def _serve(self, lane: int) -> int:
        """Take the first task of a runnable lane."""
        self._waited[lane] = 0
        if lane == CANCEL_LANE:
            self._streak += 1
            return ~self._finalizers.popleft()
        self._streak = 0
        if lane == TIMED_LANE:
            task = heappop(self._heap)[1]
            self._timed.remove(task)
            return task
        return self._take_ready()

    def _take_ready(self) -> int:
        task = self._queue.popleft()
        while task not in self._ready:
            task = self._queue.popleft()
        self._ready.remove(task)
        return task

    def _age(self, served: list[bool]) -> None:
        """A lane that is left runnable and was not served has waited for one more tick."""
        for lane, runnable in enumerate(self._runnable()):
            self._waited[lane] = self._waited[lane] + 1 if runnable and not served[lane] else 0
