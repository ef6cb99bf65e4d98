"""Is the saving that a subject's own clock shows seen from outside too? Pure; part of the verdict.

A candidate can patch its clock, or move work out of the timed blocks: to a thread, to another process, to the end. The
parent's clock and the kernel's CPU clock of the whole process do not follow it there.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from prfpipe.models import Arm, ArmSamples, Invocation

# The least share of a saving that must be seen from outside.
_SEEN_FROM_OUTSIDE = Fraction(1, 2)
# Two copies of the baseline differ from outside too; what lacks must be more than so many times that.
_BEYOND_NOISE = 3
# A subject that waits is judged by its CPU time only if it saved more of that than runs of the same code differ by.
_MORE_THAN_NOISE = Fraction(1, 10)

Clock = Literal["samples_ns", "wall_ns", "cpu_ns", "session_cpu_ns"]


class Unseen(NamedTuple):
    """A saving that an outer clock does not show; `certain` if the A/A control cannot explain that."""

    code: str
    message: str
    certain: bool


def unseen_savings(invocations: Sequence[Invocation]) -> Iterator[Unseen]:
    """What the subject's clock says was saved and an outer clock does not show, one item a clock."""
    saved = _saved(invocations, "samples_ns")
    if saved <= 0:
        return
    inside, outside = _typically_saved(invocations, "samples_ns"), _typically_saved(invocations, "wall_ns")
    if outside < inside * _SEEN_FROM_OUTSIDE:
        noise = abs(_typically_saved(invocations, "wall_ns", "control"))
        yield _unseen("clock-disagrees", (inside, outside), inside, noise, "the parent's clock")
    expected = _cpu_saving_to_expect(invocations, saved)
    used = _saved(invocations, "session_cpu_ns")
    if expected is not None and used < expected * _SEEN_FROM_OUTSIDE:
        noise = abs(_saved(invocations, "session_cpu_ns", "control"))
        yield _unseen("work-moved", (saved, used), expected, noise, "the CPU time of the process")


def _unseen(code: str, shown: tuple[int, int], expected: int, noise: int, by: str) -> Unseen:
    saved, seen = shown
    text = f"the subject's clock shows {saved / 1e6:.1f} ms saved over the run, {by} shows {seen / 1e6:.1f} ms"
    if expected - seen > _BEYOND_NOISE * noise:
        return Unseen(code, text, certain=True)
    return Unseen(code, f"{text}, and two copies of the baseline differ by {noise / 1e6:.1f} ms there", certain=False)


def _cpu_saving_to_expect(invocations: Sequence[Invocation], saved: int) -> int | None:
    """What the process must have saved in all if it saved `saved` ns while timed; None where nobody can tell.

    A baseline that computes saves what its clock shows. One that waits, or shares its core with neighbours, shows
    more than it used: there, what its CPU clock shows counts, if that is more than noise.
    """
    cpu, wall = _total(invocations, "cpu_ns", "baseline"), _total(invocations, "wall_ns", "baseline")
    if 2 * cpu > wall:
        return saved
    saved_cpu = _saved(invocations, "cpu_ns")
    return saved_cpu if saved_cpu > cpu * _MORE_THAN_NOISE else None


def _saved(invocations: Sequence[Invocation], clock: Clock, against: Arm = "candidate") -> int:
    return _total(invocations, clock, "baseline") - _total(invocations, clock, against)


def _typically_saved(
    invocations: Sequence[Invocation], clock: Literal["samples_ns", "wall_ns"], against: Arm = "candidate"
) -> int:
    """As if every block took its invocation's median: a neighbour that takes the core away hits few blocks hard."""
    return sum(_typical(item.arms["baseline"], clock) - _typical(item.arms[against], clock) for item in invocations)


def _typical(arm: ArmSamples, clock: Literal["samples_ns", "wall_ns"]) -> int:
    values: tuple[int, ...] = getattr(arm, clock)
    return sorted(values)[len(values) // 2] * len(values)


def _total(invocations: Sequence[Invocation], clock: Clock, arm: Arm) -> int:
    values = [getattr(item.arms[arm], clock) for item in invocations]
    return sum(value if isinstance(value, int) else sum(value) for value in values)
