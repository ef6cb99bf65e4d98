"""Named traces: every rule of lanes.py at its boundaries, and every place of a wheel of any size.

Boundaries of the wheel are powers of two, whatever its tuning: so traces go through all powers up to 2 ** 53 and
through their neighbours.
"""

import random
from collections.abc import Iterable, Iterator

from lanes import CANCEL, READY, STREAK_LIMIT, TICK, TIMED, Step
from traffic import PROFILES, Traffic

Trace = list[Step]
Case = tuple[str, list[Trace]]

HORIZON = 53
"""Bits of the farthest deadline, in microseconds: 285 years."""

AROUND = sorted({2**bits + offset for bits in range(HORIZON + 1) for offset in (-1, 0, 1)})
ALL = 1 << 20
"""Slots for whatever is there."""


def ready(count: int = 1) -> Trace:
    return [[READY, 0, 0]] * count


def timed(*delays: int) -> Trace:
    return [[TIMED, delay, 0] for delay in delays]


def cancel(tasks: Iterable[int]) -> Trace:
    return [[CANCEL, task, 0] for task in tasks]


def tick(elapsed: int = 1, slots: int = ALL, times: int = 1) -> Trace:
    return [[TICK, elapsed, slots]] * times


def finalizers(count: int) -> Trace:
    """The first `count` tasks of a trace, waiting in the cancel lane."""
    return ready(count) + cancel(range(count))


def apart(*traces: Trace) -> list[Trace]:
    """Traces of one scheduler, each as if it were the first: tasks are counted on, and at its end no lane is as before.

    Every due task has run by then, no lane waits, and the last slot was not the cancel lane's.
    """
    found, first = [], 0
    for trace in traces:
        steps = [*trace, *tick(10), *ready(), *tick()]
        found.append([[kind, number + first * (kind == CANCEL), more] for kind, number, more in steps])
        first += sum(kind in {READY, TIMED} for kind, *_ in steps)
    return found


def cases() -> Iterator[Case]:
    """All edge cases; a case is a sequence of traces for one scheduler."""
    yield from _lanes()
    yield from _cancellations()
    yield from _deadlines()
    yield from _wheel()
    yield from _streaks()
    yield from _starvation()
    yield from _mixed()


def _lanes() -> Iterator[Case]:
    yield "nothing to do", [[], tick(0, 0), tick(0, 5), tick(5, 0), tick(2**HORIZON, 1)]
    yield "no slots, then one, then the rest", [ready(3) + timed(0, 0) + tick(0, 0) + tick(0, 1) + tick(0)]
    yield "ready tasks come first in, first out", [ready(5) + tick(1, 2) + ready(2) + tick(1, 3) + tick(1, 9)]
    yield "cancel before timed before ready", [ready(3) + timed(1, 1) + cancel([1]) + tick(1) + tick(1)]
    yield "exactly as many slots as tasks", [ready(2) + timed(1) + cancel([0]) + tick(1, 3), ready() + tick(0, 1)]
    yield "one slot more than tasks", [ready(2) + timed(1) + cancel([0]) + tick(1, 4), ready() + tick(0, 1)]


def _cancellations() -> Iterator[Case]:
    yield "cancelled before dispatch: only the finalizer runs", [ready(2) + timed(5, 5) + cancel([0, 2]) + tick(9)]
    yield "cancelled twice", [ready(2) + timed(5) + cancel([0, 0, 2, 2]) + tick(9) + cancel([0, 2]) + tick(9)]
    yield "cancelled again while its finalizer waits", [ready(2) + cancel([0]) + tick(0, 0) + cancel([0]) + tick(0)]
    yield "cancelled after dispatch", [ready(2) + timed(1) + tick(1), cancel([0, 1, 2]) + tick(1)]
    yield "cancelled at the tick of its deadline, after it", [timed(3) + tick(3) + cancel([0]) + tick(3)]
    yield "due and cancelled before it got a slot", [timed(1, 2, 2) + tick(2, 1) + cancel([1]) + tick(0) + tick(0)]
    yield "unknown tasks", [cancel([0, 7, -1, 2**60]) + ready() + tick() + cancel([1, -1]) + tick()]
    yield "cancelled before it exists, then scheduled", [cancel([0, 1]) + ready() + timed(1) + tick(1)]
    for name, gone in {"first": [0], "last": [4], "middle": [1, 3], "all": range(5)}.items():
        yield f"{name} of the ready lane cancelled", [ready(5) + cancel(gone) + tick(0, 2) + ready() + tick(0)]
        yield f"{name} of the due timers cancelled", [timed(*[2] * 5) + tick(2, 0) + cancel(gone) + tick(0, 2) + tick()]
    yield "finalizers run in the order of cancellation", [ready(3) + timed(4, 5) + cancel([4, 1, 3, 0]) + tick(1)]


def _deadlines() -> Iterator[Case]:
    yield "delay of zero", [timed(0, 0) + ready() + tick(0)]
    yield "deadline in the past", [tick(100) + timed(-50, 0, -200, -50) + tick(0), timed(-1) + tick(1)]
    yield "late timers go in front of due ones", [timed(10, 20) + tick(30, 1) + timed(-25, -5) + tick(0, 1) + tick(0)]
    yield "same deadline: by number", [timed(5, 5, 5) + tick(2) + timed(3, 3) + tick(3)]
    yield "earliest deadline first", [timed(9, 3, 7, 3, 8, 1) + tick(10)]
    yield (
        "earliest deadline first over several ticks",
        [timed(9, 3, 7, 3, 8, 1) + tick(10, 2) + timed(-8) + tick(0, 2, 3)],
    )
    yield (
        "no timer early: one microsecond before, then at the deadline",
        [timed(1000, 1001) + tick(999) + tick(1) + tick(1)],
    )
    rng = random.Random(5)
    delays = [rng.randrange(1 << rng.randrange(34)) for _ in range(400)]
    yield "random deadlines, all at once", [timed(*delays) + tick(2**34)]
    yield "random deadlines, in random steps", [
        timed(*delays), [step for _ in range(300) for step in tick(rng.randrange(1 << 27))], tick(2**34),
    ]  # fmt: skip


def _wheel() -> Iterator[Case]:
    yield "around every power of two, each at its time", [timed(*AROUND), _visits(AROUND)]
    yield "around every power of two, from another start", [tick(12_345_678_901) + timed(*AROUND), _visits(AROUND)]
    yield "a leap over all turns", [timed(*AROUND[::-1]) + tick(2**54)]
    yield "leaps from turn to turn", [timed(*AROUND)] + [tick(2**bits) for bits in range(HORIZON + 1)]
    yield "a deadline of 2 ** 53 and beyond", [timed(2**53, 2**60, 1) + tick(2**53 - 1) + tick(1) + tick(2**60)]
    yield "slots of one turn and of the next", [
        timed(*[2**bits + 40_000 for bits in range(45)], 40_000), tick(30_000) + tick(10_000) + tick(2**45),
    ]  # fmt: skip
    yield "the clock goes round the wheel", [
        [step for _ in range(200) for step in timed(1, 2**22, 2**25) + tick(2**20)], tick(2**26),
    ]  # fmt: skip
    yield "same deadline, set from far and from near", [
        [step for bits in range(40) for step in timed(2**41 - 2**bits) + tick(0)],
        [step for bits in range(39, -1, -1) for step in timed(2**bits) + tick(2**bits - 2 ** max(bits - 1, 0))],
        tick(2**42),
    ]  # fmt: skip
    everywhere = len(AROUND)
    yield "cancelled in every place of the wheel", [timed(*AROUND) + cancel(range(0, everywhere, 2)), tick(2**54)]
    yield "every timer cancelled, then time passes, then others", [
        timed(*AROUND) + cancel(range(everywhere)) + tick(2**30), timed(*AROUND) + tick(2**54),
    ]  # fmt: skip
    yield "a bucket emptied and used again", [timed(2**50) + cancel([0]) + timed(2**50), tick(2**49) + tick(2**50)]
    yield "cancelled in the middle of a cascade", [_mid_cascade()]
    yield "cancelled timers are many: some are left, then the rest", [
        timed(*[0] * 12_000) + cancel(range(0, 12_000, 2)) + tick(0, 0),
        cancel(range(1, 11_900, 2)) + timed(0, -1) + tick(0) + tick(0),
    ]  # fmt: skip


def _visits(deadlines: list[int]) -> Trace:
    """Ticks that end one microsecond before each deadline, and at it."""
    moments = sorted({moment for deadline in deadlines for moment in (deadline - 1, deadline)})
    return [step for last, moment in zip([0, *moments], moments, strict=False) for step in tick(moment - last)]


def _mid_cascade() -> Trace:
    """For every power of two: the clock is taken just into the turn, some of the timers there are cancelled."""
    trace, start = [], 0
    for bits in range(4, 45):
        trace += timed(*range(2**bits, 2**bits + 2**bits // 2, 2**bits // 8)) + tick(2**bits - 1)
        trace += cancel([start + 1]) + tick(1) + cancel([start + 2]) + tick(2**bits // 4) + cancel([start + 3])
        trace += tick(2**bits)
        start += 4
    return trace


def _streaks() -> Iterator[Case]:
    around = (STREAK_LIMIT - 1, STREAK_LIMIT, STREAK_LIMIT + 1, 2 * STREAK_LIMIT, 2 * STREAK_LIMIT + 1)
    many = [finalizers(count) for count in around]
    yield "15 to 33 finalizers and a ready task", apart(*(each + ready() + tick(0) for each in many))
    yield "15 to 33 finalizers and a due timer", apart(*(each + timed(1) + tick(1) for each in many))
    yield "15 to 33 finalizers and both", apart(*(each + ready(3) + timed(1, 1, 1) + tick(1) for each in many))
    yield "15 to 33 finalizers and a timer that is not due", apart(*(each + timed(9) + tick(1) for each in many))
    one_by_one = ready(2) + tick(1, 1, 3 * STREAK_LIMIT)
    yield "15 to 33 finalizers, one to a tick", apart(*(each + one_by_one for each in many))
    yield "a streak goes on from tick to tick", [finalizers(40) + ready(3) + tick(0, 5, 9)]
    yield (
        "others come when the streak is at its limit",
        [finalizers(40) + tick(0, STREAK_LIMIT) + ready() + tick(0, 1) + tick(0, STREAK_LIMIT + 1) + tick(0)],
    )
    yield "others come when the streak is far beyond its limit", [finalizers(60) + tick(0, 40) + ready() + tick(0)]
    yield (
        "the only other task is cancelled at the limit",
        [finalizers(40) + ready() + tick(0, STREAK_LIMIT) + cancel([40]) + tick(0)],
    )
    yield (
        "the only due timer is cancelled at the limit",
        [finalizers(40) + timed(0) + tick(0, STREAK_LIMIT) + cancel([40]) + tick(0)],
    )


def _starvation() -> Iterator[Case]:
    waits = [tick(0, 1, ticks) + tick(0, 3) for ticks in range(1, 9)]
    yield "timed waits behind cancel for 1 to 8 ticks", apart(*(finalizers(50) + timed(0) + each for each in waits))
    yield "ready waits behind cancel for 1 to 8 ticks", apart(*(finalizers(50) + ready() + each for each in waits))
    yield "ready waits behind timed for 1 to 8 ticks", apart(*(timed(*[0] * 50) + ready() + each for each in waits))
    everything = finalizers(20) + timed(0, 0, 0) + ready(3)
    idle = [tick(0, 0, ticks) + tick(0, 1) + tick(0, 30) for ticks in range(1, 9)]
    yield "all wait for 1 to 8 ticks without slots", apart(*(everything + each for each in idle))
    yield "all lanes full, one slot to a tick", [finalizers(80) + timed(*[0] * 40) + ready(40) + tick(1, 1, 120)]
    yield "all lanes full, two slots to a tick", [finalizers(80) + timed(*[0] * 40) + ready(40) + tick(1, 2, 60)]
    yield (
        "cancel starves at its streak's limit",
        [finalizers(40) + ready() + tick(0, STREAK_LIMIT) + tick(0, 0, 2) + tick(0, 3)],
    )
    yield (
        "cancel starves, streak at its limit, others left out",
        [finalizers(40) + tick(0, STREAK_LIMIT) + tick(0, 0) + timed(0, 0) + tick(0, 1) + tick(0, 2)],
    )
    yield (
        "waiting ends when the lane is emptied by cancellation",
        [timed(*[0] * 30) + ready() + tick(0, 1, 4) + cancel([30]) + tick(0, 1) + ready() + tick(0, 1, 4)],
    )
    yield "waiting begins anew after a slot", [timed(*[0] * 40) + ready(9) + tick(0, 1, 30)]
    yield (
        "a tick with a slot left ends all waiting",
        [timed(0) + ready() + tick(0, 1, 1) + tick(0, 3) + timed(*[0] * 9) + ready() + tick(0, 1, 9)],
    )
    yield (
        "a timer that starves is cancelled",
        [finalizers(30) + timed(0) + tick(0, 1, 4) + timed(0) + tick(0, 1, 3) + cancel([31]) + tick(0, 2)],
    )
    yield "finalizers that starve are all there are", [finalizers(2) + tick(0, 0, 3) + tick(0, 1) + tick(0, 1)]


def _mixed() -> Iterator[Case]:
    for profile in PROFILES:
        traffic = Traffic(PROFILES[profile], random.Random(11))
        steps = [step for _ in range(40) for step in traffic.tick()]
        yield f"traffic of {profile}, cut anywhere", [steps[:13], steps[13:14], [], steps[14:]]
        yield (
            f"traffic of {profile}, two slots to a tick",
            [[[kind, first, 2 if kind == TICK else 0] for kind, first, _ in steps]],
        )
