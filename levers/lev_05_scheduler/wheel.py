"""A timer wheel: timers are put into slots by deadline, and sorted only when their slot comes up.

Times are integers. A slot is 2 ** tick_bits wide, a turn of the wheel has 2 ** slot_bits slots. A timer's deadline
says where it is:

- in `_near`, if its slot has come up: sorted so that the next one is last and leaves in O(1);
- in a slot of the wheel, if its slot comes up later in this turn;
- in a bucket of `_far`, if it is in a later turn. When that turn begins, the bucket is emptied into the slots
  (a cascade), so the wheel never holds two turns at a time.

Slots and buckets are dicts: cancelling is O(1) and leaves nothing behind. `_occupied` has one bit for each slot and
`_turns` is a heap of the turns in `_far`, so time that passes over empty slots and turns costs nothing. After
Varghese & Lauck, "Hashed and Hierarchical Timing Wheels" (1987), schemes 6 and 7.
"""

import heapq
from bisect import insort
from typing import NamedTuple

TASK_BITS = 40
TASK_MASK = (1 << TASK_BITS) - 1

Bucket = dict[int, int]
"""Entry by task. An entry is -(deadline << TASK_BITS | task): one number that sorts by deadline, then by task."""


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
        self._entry_bits = TASK_BITS + self._tick_bits
        self._mask = (1 << self._slot_bits) - 1
        self._slots: list[Bucket] = [{} for _ in range(self._mask + 1)]
        self._occupied = self._slot = 0
        self._end = self._mask + 1
        self._far: dict[int, Bucket] = {}
        self._turns: list[int] = []
        self._near: list[int] = []
        self._entries: Bucket = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, task: int, deadline: int) -> None:
        """Set a timer; one whose deadline has passed is due at once."""
        self._entries[task] = entry = -(deadline << TASK_BITS | task)
        slot = deadline >> self._tick_bits
        if slot <= self._slot:
            insort(self._near, entry)
        elif slot < self._end:
            slot &= self._mask
            bucket = self._slots[slot]
            if not bucket:
                self._occupied |= 1 << slot
            bucket[task] = entry
        else:
            self._bucket(slot >> self._slot_bits)[task] = entry

    def cancel(self, task: int) -> bool:
        """Take a timer away; False if it is not there."""
        entry = self._entries.pop(task, None)
        if entry is None:
            return False
        slot = -entry >> self._entry_bits
        if slot <= self._slot:
            if len(self._near) - len(self._entries) > self._compact_after:
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
        if slot >= self._end:
            self._turn_to(slot >> self._slot_bits)
        self._open(slot & self._mask)
        self._slot = slot

    def is_due(self, now: int) -> bool:
        """Whether a deadline is `now` or before, after `advance(now)`."""
        near, alive = self._near, self._entries
        while near and -near[-1] & TASK_MASK not in alive:
            near.pop()
        return bool(near) and -near[-1] >> TASK_BITS <= now

    def take(self, now: int, end: int, ran: list[int]) -> None:
        """Move due timers to the end of `ran`, earliest deadline first, until it has `end` items."""
        near, alive, later = self._near, self._entries, -(now + 1 << TASK_BITS)
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

    def _turn_to(self, turn: int) -> None:
        """Finish the turns before `turn`, and begin it."""
        self._open(self._mask)
        while self._turns and self._turns[0] <= turn:
            begun = heapq.heappop(self._turns)
            self._cascade(self._far.pop(begun))
            if begun < turn:
                self._open(self._mask)
        self._end = turn + 1 << self._slot_bits

    def _cascade(self, bucket: Bucket) -> None:
        slots, entry_bits, mask, occupied = self._slots, self._entry_bits, self._mask, 0
        for task, entry in bucket.items():
            slot = -entry >> entry_bits & mask
            slots[slot][task] = entry
            occupied |= 1 << slot
        self._occupied = occupied

    def _open(self, last: int) -> None:
        """Sort the timers of all slots of this turn up to `last` into `_near`, behind what is there."""
        opened = self._occupied & ((2 << last) - 1)
        self._occupied ^= opened
        run: list[int] = []
        while opened:
            lowest = opened & -opened
            opened ^= lowest
            bucket = self._slots[lowest.bit_length() - 1]
            run += bucket.values()
            bucket.clear()
        run.sort()
        self._near[:0] = run

    def _compact(self) -> None:
        near, alive = self._near, self._entries
        if len(near) > 2 * len(alive):
            near[:] = [entry for entry in near if -entry & TASK_MASK in alive]
