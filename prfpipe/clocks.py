"""Is the saving that a subject's own clock shows seen from outside too? Pure; part of the verdict.

A candidate can patch its clock or answer for it, or move work out of the timed blocks: to when the operations are
handed over or the results fetched, to a thread, to another process, to the end. The parent's clock of the whole
exchange and the kernel's CPU clock of all its processes do not follow it there.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import Literal, NamedTuple

from prfpipe import stats
from prfpipe.models import ArmSamples, Invocation

# The least share of a saving that must be seen from outside.
_SEEN_FROM_OUTSIDE = Fraction(1, 2)
# Two copies of the baseline differ from outside too; what lacks must be more than so many times that.
_BEYOND_NOISE = 3
# A subject that waits is judged by its CPU time only if it saved more of that than runs of the same code differ by.
_MORE_THAN_NOISE = Fraction(1, 10)
# What a variant takes to end belongs to no operation, and is in the CPU time of its process. A candidate with more to
# free (a cache, say) may honestly differ there, by up to this share of what the baseline's timed blocks use.
_TO_END = Fraction(1, 10)
_SUBJECTS_CLOCK = "the subject's clock"

Clock = Literal["samples_ns", "wall_ns", "cpu_ns", "session_cpu_ns"]
Measure = Callable[[ArmSamples, Clock], int]
"""Nanoseconds of one arm of an invocation by a clock."""
_BOTH: tuple[Clock, Clock] = ("samples_ns", "wall_ns")


class Unseen(NamedTuple):
    """A saving that an outer clock does not show; `certain` if neither noise nor what it takes to end explains that."""

    code: str
    message: str
    certain: bool


class _Saved(NamedTuple):
    """Nanoseconds that the candidate saved over the run, and those by which two copies of the baseline differ.

    Both are as if every invocation were like the median one: over few of them, a single one that was disturbed would
    outweigh what was saved, and differences that cancel by chance would make an outer clock look more exact than it is.
    """

    ns: int
    noise: int


def unseen_savings(invocations: Sequence[Invocation]) -> Iterator[Unseen]:
    """What the subject's clock says was saved and an outer clock does not show, one item a clock."""
    found = [_unseen_by_the_parent(invocations, measure) for measure in (_quarter, _middle)]
    yield from sorted((item for item in found if item), key=lambda item: not item.certain)[:1]
    saved = _saved(invocations, "samples_ns", _total).ns
    expected = _cpu_saving_to_expect(invocations, saved)
    used = _saved(invocations, "session_cpu_ns", _total)
    if expected is not None and used.ns < expected * _SEEN_FROM_OUTSIDE:
        inner, shown = (_SUBJECTS_CLOCK, saved) if saved > 0 else ("the CPU time of the timed blocks", expected)
        to_end = _TO_END * sum(_total(item.arms["baseline"], "cpu_ns") for item in invocations)
        text = f"{inner} shows {_ms(shown)}"
        yield _unseen("work-moved", text, expected, used, "the CPU time of the process", to_end)


def _unseen_by_the_parent(invocations: Sequence[Invocation], measure: Measure) -> Unseen | None:
    inside, outside = (_saved(invocations, clock, measure) for clock in _BOTH)
    if inside.ns <= 0 or outside.ns >= inside.ns * _SEEN_FROM_OUTSIDE:
        return None
    inner = f"{_SUBJECTS_CLOCK} shows {_ms(inside.ns)}"
    return _unseen("clock-disagrees", inner, inside.ns, outside, "the parent's clock")


def unseen_losses(invocations: Sequence[Invocation], margin_percent: float) -> Iterator[Unseen]:
    """What an outer clock shows as lost beside what the inner one does, where that is more than may be lost.

    For a scenario that only must not get slower: there is no saving that an outer clock would have to show. Of the
    CPU time of the process more is allowed, see `_TO_END`.
    """
    margin = stats.exact(margin_percent) / 100
    for pair in _PAIRS:
        found = (_unseen_loss(invocations, pair, measure, margin) for measure in pair.measures)
        yield from islice((item for item in found if item), 1)


def _unseen_loss(invocations: Sequence[Invocation], pair: "_Pair", measure: Measure, margin: Fraction) -> Unseen | None:
    inside, outside = (_saved(invocations, clock, measure) for clock in (pair.inner, pair.outer))
    baseline = sum(measure(item.arms["baseline"], pair.inner) for item in invocations)
    allowed = (margin + pair.besides) * baseline + _BEYOND_NOISE * outside.noise
    if inside.ns - outside.ns <= allowed:
        return None
    lost = f"{_ms(-inside.ns)} lost over the run, {pair.names[1]} {_ms(-outside.ns)}"
    return Unseen(pair.code, f"{pair.names[0]} shows {lost}", certain=False)


def _unseen(code: str, inner: str, expected: int, seen: _Saved, by: str, besides: Fraction = Fraction(0)) -> Unseen:
    text = f"{inner} saved over the run, {by} shows {_ms(seen.ns)}"
    lacking = expected - seen.ns
    if lacking > besides + _BEYOND_NOISE * seen.noise:
        return Unseen(code, text, certain=True)
    noise = f"two copies of the baseline differ by {_ms(seen.noise)} there"
    to_end = f", and what a variant takes to end may come to {_ms(besides)}" if besides else ""
    return Unseen(code, f"{text}; {noise}{to_end}", certain=False)


def _ms(ns: float | Fraction) -> str:
    return f"{float(ns) / 1e6:.1f} ms"


def _cpu_saving_to_expect(invocations: Sequence[Invocation], saved: int) -> int | None:
    """What the process must have saved in all if it saved `saved` ns while timed; None where nobody can tell.

    A baseline that computes saves what its clock shows. One that waits, or shares its core with neighbours, shows
    more than it used: there, what its CPU clock shows counts, if that is more than noise. It counts too for a
    candidate that is faster, but not in all: work that it moved to a child takes the core from its own timed blocks.
    """
    saved_cpu = _saved(invocations, "cpu_ns", _total).ns
    if saved <= 0:
        return saved_cpu if saved_cpu > 0 else None
    cpu, timed = (
        sum(_total(item.arms["baseline"], clock) for item in invocations) for clock in ("cpu_ns", "samples_ns")
    )
    if 2 * cpu > timed:
        return saved
    return saved_cpu if saved_cpu > cpu * _MORE_THAN_NOISE else None


def _saved(invocations: Sequence[Invocation], clock: Clock, measure: Measure) -> _Saved:
    times = [{arm: measure(found, clock) for arm, found in item.arms.items()} for item in invocations]
    return _Saved(
        ns=_as_the_median([each["baseline"] - each["candidate"] for each in times]),
        noise=_as_the_median([abs(each["baseline"] - each["control"]) for each in times]),
    )


def _as_the_median(values: Sequence[int]) -> int:
    """The sum, if all were as the median; rounded down."""
    ordered, middle = sorted(values), len(values) // 2
    return (ordered[middle] + ordered[-1 - middle]) * len(values) // 2


def _quarter(arm: ArmSamples, clock: Clock) -> int:
    """As if every block took as long as its invocation's lower quartile: neighbours take the core from some blocks."""
    blocks = _blocks(arm, clock)
    return blocks[len(blocks) // 4] * len(blocks)


def _middle(arm: ArmSamples, clock: Clock) -> int:
    """As if every block took as long as its invocation's median, which is what the verdict is about."""
    blocks = _blocks(arm, clock)
    return blocks[(len(blocks) - 1) // 2] * len(blocks)


def _total(arm: ArmSamples, clock: Clock) -> int:
    return sum(_blocks(arm, clock))


def _blocks(arm: ArmSamples, clock: Clock) -> list[int]:
    """The times of an arm's blocks, the shortest first. An outer clock sees blocks only, so samples are added up."""
    found: int | tuple[int, ...] = getattr(arm, clock)
    values = (found,) if isinstance(found, int) else found
    size = max(len(values) // len(arm.wall_ns), 1) if arm.wall_ns else 1
    return sorted(sum(values[at : at + size]) for at in range(0, len(values), size))


class _Pair(NamedTuple):
    """An inner clock and the outer one that it is set against where nothing needs to be saved."""

    code: str
    inner: Clock
    outer: Clock
    measures: tuple[Measure, ...]
    besides: Fraction
    names: tuple[str, str]


_PAIRS = (
    _Pair("clock-disagrees", *_BOTH, (_quarter, _middle), Fraction(0), (_SUBJECTS_CLOCK, "the parent's clock")),
    _Pair(
        "work-moved", "cpu_ns", "session_cpu_ns", (_total,), _TO_END,
        ("the CPU time of the timed blocks", "that of the process"),
    ),
)  # fmt: skip
