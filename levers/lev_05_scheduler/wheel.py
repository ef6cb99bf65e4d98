"""A timer wheel: timers are put into slots by deadline, and sorted only when their slot comes up.

Times are integers. A slot is 2 ** tick_bits wide, a turn of the wheel has 2 ** slot_bits slots. A timer's deadline
says where it is:

- in `_near`, if its slot has come up: sorted so that the next one is last and leaves in O(1);
- in a slot of the wheel, if its slot comes up later in this turn;
- in a bucket of `_far`, if it is in a later turn. When that turn begins, the bucket is emptied into the slots
  (a cascade), so the wheel never holds two turns at a time.

Slots and buckets are dicts: cancelling is O(1) and leaves nothing behind. `_turns` is a heap of the turns in `_far`,
so time that leaps over empty turns costs nothing; each slot that it passes in a turn is looked at. After Varghese &
Lauck, "Hashed and Hierarchical Timing Wheels" (1987), schemes 6 and 7.
"""

import heapq
from bisect import insort
from typing import NamedTuple

TASK_BITS = 40
"""A timer in `_near` is -(deadline << TASK_BITS | task): one number that sorts by deadline, then by task."""

TASK_MASK = (1 << TASK_BITS) - 1

Bucket = dict[int, int]
"""Deadline by task."""


class Tuning(NamedTuple):
    """What tune.py chooses. None of it changes the order of dispatch."""

    tick_bits: int
    slot_bits: int
    compact_after: int
    """Up to this many cancelled timers are left in `_near` until they come to the front."""


class Wheel:
    """Timers by the number of their task, each of which is added once at most."""

    def __init__(self, tuning: Tuning) -> None:
        self._tick_bits, self._slot_bits, self._compact_after = tuning
        self._mask = (1 << self._slot_bits) - 1
        self._slots: list[Bucket] = [{} for _ in range(self._mask + 1)]
        self._slot = 0
        self._end = self._mask + 1
        self._far: dict[int, Bucket] = {}
        self._turns: list[int] = []
        self._near: list[int] = []
        self._deadlines: Bucket = {}

    def __len__(self) -> int:
        return len(self._deadlines)

    def add(self, task: int, deadline: int) -> None:
        """Set a timer; one whose deadline has passed is due at once."""
        self._deadlines[task] = deadline
        slot = deadline >> self._tick_bits
        if slot <= self._slot:
            insort(self._near, -(deadline << TASK_BITS | task))
        elif slot < self._end:
            self._slots[slot & self._mask][task] = deadline
        else:
            self._bucket(slot >> self._slot_bits)[task] = deadline

    def cancel(self, task: int) -> bool:
        """Take a timer away; False if it is not there."""
        deadline = self._deadlines.pop(task, None)
        if deadline is None:
            return False
        slot = deadline >> self._tick_bits
        if slot <= self._slot:
            if len(self._near) - len(self._deadlines) > self._compact_after:
                self._compact()
        elif slot < self._end:
            del self._slots[slot & self._mask][task]
        else:
            del self._far[slot >> self._slot_bits][task]
        return True

    def advance(self, now: int) -> None:
        """Open every slot that begins at `now` or before; `now` never goes back."""
        slot = now >> self._tick_bits
        if slot == self._slot:
            return
        first = (self._slot & self._mask) + 1
        if slot >= self._end:
            self._turn_to(slot >> self._slot_bits, first)
            first = 0
        self._open(first, slot & self._mask)
        self._slot = slot

    def is_due(self, now: int) -> bool:
        """Whether a deadline is `now` or before, after `advance(now)`."""
        near, alive = self._near, self._deadlines
        while near and -near[-1] & TASK_MASK not in alive:
            near.pop()
        return bool(near) and -near[-1] >> TASK_BITS <= now

    def take(self, now: int, end: int, ran: list[int]) -> None:
        """Move due timers to the end of `ran`, earliest deadline first, until it has `end` items."""
        near, alive, later = self._near, self._deadlines, -(now + 1 << TASK_BITS)
        while near and near[-1] > later and len(ran) < end:
            task = -near.pop() & TASK_MASK
            if task in alive:
                del alive[task]
                ran.append(task)

    def _bucket(self, turn: int) -> Bucket:
        bucket = self._far.get(turn)
        if bucket is None:
            bucket = self._far[turn] = {}
            heapq.heappush(self._turns, turn)
        return bucket

    def _turn_to(self, turn: int, first: int) -> None:
        """Finish this turn from slot `first` on and all turns before `turn`, and begin that one."""
        self._open(first, self._mask)
        while self._turns and self._turns[0] <= turn:
            begun = heapq.heappop(self._turns)
            self._cascade(self._far.pop(begun))
            if begun < turn:
                self._open(0, self._mask)
        self._end = turn + 1 << self._slot_bits

    def _cascade(self, bucket: Bucket) -> None:
        slots, tick_bits, mask = self._slots, self._tick_bits, self._mask
        for task, deadline in bucket.items():
            slots[deadline >> tick_bits & mask][task] = deadline

    def _open(self, first: int, last: int) -> None:
        """Sort the timers of these slots of this turn into `_near`, behind what is there."""
        run: list[int] = []
        for bucket in self._slots[first : last + 1]:
            if bucket:
                run += [-(deadline << TASK_BITS | task) for task, deadline in bucket.items()]
                bucket.clear()
        run.sort()
        self._near[:0] = run

    def _compact(self) -> None:
        near, alive = self._near, self._deadlines
        if len(near) > 2 * len(alive):
            near[:] = [entry for entry in near if -entry & TASK_MASK in alive]
