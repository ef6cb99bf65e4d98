"""The scheduler with a timer wheel, and with one decision for a run of tasks instead of one for each slot.

Nothing is scheduled in the middle of a tick. So a lane that has the turn keeps it until it is empty, the tick is full
or another lane has a right to it, and all of that is taken at once. `tuned.json` holds what tune.py has chosen for
the wheel.
"""

import json
from collections import deque
from collections.abc import Mapping
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
from wheel import Tuning, Wheel

SERVED = -1
"""Ticks that a lane has waited, in the very tick in which it was served."""

TUNED = Path(__file__).with_name("tuned.json")


def tuning_of(path: Path) -> Tuning:
    """The parameters that a file like tuned.json holds."""
    return Tuning(**json.loads(path.read_text(encoding="utf-8"))["tuning"])


class Subject:
    """Plays a trace; clock, lanes and numbers of tasks stay from one trace to the next."""

    streak_limit = STREAK_LIMIT

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._now = self._tasks = self._streak = 0
        self._finalizers: deque[int] = deque()
        self._queue: deque[int] = deque()
        self._ready: set[int] = set()
        self._waited = [0, 0, 0]
        self._wheel = self._new_wheel()

    def operate(self, trace: list[Step]) -> Outcome:
        """What ran in each tick, which cancellations came too late, and what waits now."""
        ran: list[list[int]] = []
        missed: list[int] = []
        task, add_timer, cancel_timer = self._tasks, self._wheel.add, self._wheel.cancel
        add_to_queue, add_ready, finalize = self._queue.append, self._ready.add, self._finalizers.append
        for kind, first, second in trace:
            if kind == READY:
                add_to_queue(task)
                add_ready(task)
                task += 1
            elif kind == TIMED:
                add_timer(task, self._now + first)
                task += 1
            elif kind == CANCEL:
                if cancel_timer(first) or self._withdraw(first):
                    finalize(first)
                else:
                    missed.append(first)
            else:
                ran.append(self._tick(first, second))
        self._tasks = task
        return {"ran": ran, "missed": missed, "pending": self._pending()}

    def close(self) -> None:
        """Nothing is held outside of the process."""

    def _new_wheel(self) -> Wheel:
        return Wheel(tuning_of(TUNED))

    def _pending(self) -> list[int]:
        return [len(self._finalizers), len(self._wheel), len(self._ready)]

    def _withdraw(self, task: int) -> bool:
        """Whether `task` waited in the ready lane; it does not any more."""
        if task not in self._ready:
            return False
        self._ready.remove(task)
        return True

    def _tick(self, elapsed: int, slots: int) -> list[int]:
        self._now += elapsed
        self._wheel.advance(self._now)
        ran: list[int] = []
        if any(self._waited):
            self._relieve(slots, ran)
        while self._finalizers and len(ran) < slots:
            self._run_finalizers(slots, ran)
        if len(ran) < slots:
            self._run_others(slots, ran)
        if len(ran) < slots:
            self._waited = [0, 0, 0]  # a slot is left, so no lane is runnable
        else:
            self._age()
        return ran

    def _relieve(self, slots: int, ran: list[int]) -> None:
        """Give a slot to each lane that starves, as far as there are slots."""
        while len(ran) < slots and (lane := self._starving()) is not None:
            if lane == CANCEL_LANE:
                self._take_finalizers(1, ran)
            elif lane == TIMED_LANE:
                self._take_timed(len(ran) + 1, ran)
            else:
                self._take_ready(len(ran) + 1, ran)

    def _starving(self) -> int | None:
        cancel, timed, ready = (waited >= limit for waited, limit in zip(self._waited, STARVATION_TICKS, strict=True))
        if cancel and self._finalizers and (self._streak < self.streak_limit or not self._others_wait()):
            return CANCEL_LANE
        if timed and self._wheel.is_due(self._now):
            return TIMED_LANE
        return READY_LANE if ready and self._ready else None

    def _others_wait(self) -> bool:
        return bool(self._ready) or self._wheel.is_due(self._now)

    def _run_finalizers(self, slots: int, ran: list[int]) -> None:
        """The cancel lane up to its limit, or the one slot that it then leaves to another lane."""
        length = min(slots - len(ran), len(self._finalizers))
        if self._streak + length > self.streak_limit and self._others_wait():
            length = max(self.streak_limit - self._streak, 0)
        if length:
            self._take_finalizers(length, ran)
        else:
            self._run_others(len(ran) + 1, ran)

    def _run_others(self, end: int, ran: list[int]) -> None:
        """Due timers, then ready tasks, until `ran` has `end` items."""
        self._take_timed(end, ran)
        if self._ready and len(ran) < end:
            self._take_ready(end, ran)

    def _take_finalizers(self, length: int, ran: list[int]) -> None:
        self._served(CANCEL_LANE, self._streak + length)
        take = self._finalizers.popleft
        ran += [~take() for _ in range(length)]

    def _take_timed(self, end: int, ran: list[int]) -> None:
        before = len(ran)
        self._wheel.take(self._now, end, ran)
        if len(ran) > before:
            self._served(TIMED_LANE, 0)

    def _take_ready(self, end: int, ran: list[int]) -> None:
        self._served(READY_LANE, 0)
        queue, alive = self._queue, self._ready
        if len(queue) == len(alive) <= end - len(ran):
            ran += queue
            queue.clear()
            alive.clear()
            return
        while alive and len(ran) < end:
            task = queue.popleft()
            if task in alive:
                alive.remove(task)
                ran.append(task)

    def _served(self, lane: int, streak: int) -> None:
        self._waited[lane] = SERVED
        self._streak = streak

    def _age(self) -> None:
        """After a full tick: a lane that is left runnable and was not served has waited for one more tick."""
        runnable = (self._finalizers, self._wheel.is_due(self._now), self._ready)
        self._waited = [waited + 1 if works else 0 for waited, works in zip(self._waited, runnable, strict=True)]
