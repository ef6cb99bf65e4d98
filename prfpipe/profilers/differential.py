"""Where the saved time was: two profiles on one scale, in percent of the baseline's time per operation."""

import math
from collections import Counter
from dataclasses import dataclass

from prfpipe.errors import ProfilerError
from prfpipe.models import ProfileDiff, Saving
from prfpipe.profilers.frames import ARROW, Frame, Stack, Stacks, Targets
from prfpipe.profilers.hotspots import target_samples

MAX_SAVINGS = 20
SCALE = 1_000_000_000
"""One unit is a billionth of the baseline's time per operation."""


@dataclass(frozen=True)
class Difference:
    """Two profiles in units of a billionth of the baseline's time: stack -> time per operation."""

    before: Stacks
    after: Stacks

    def folded(self) -> bytes:
        """`stack BEFORE AFTER` a line, sorted: the input of `difffolded.pl`'s readers, already normalized."""
        stacks = sorted((_text(stack), stack) for stack in {**self.before, **self.after})
        lines = [f"{text} {self.before.get(stack, 0)} {self.after.get(stack, 0)}\n" for text, stack in stacks]
        return "".join(lines).encode()


def _text(stack: Stack) -> str:
    return ";".join(frame.label for frame in stack)


def scale(before: Stacks, after: Stacks, time_ratio: float) -> Difference:
    """Put both profiles on the baseline's scale; `time_ratio`: candidate's time per operation / baseline's.

    Raises:
        ProfilerError: a profile is empty, or the ratio is no positive number.
    """
    if not before or not after:
        raise ProfilerError("no difference of an empty profile", hint="Profile both variants first.")
    if not (math.isfinite(time_ratio) and time_ratio > 0):
        raise ProfilerError(f"time ratio {time_ratio} is not above 0", hint="Measure both variants first.")
    return Difference(_units(before, 1.0), _units(after, time_ratio))


def _units(stacks: Stacks, ratio: float) -> Stacks:
    samples = sum(stacks.values())
    return {stack: max(1, round(count * SCALE * ratio / samples)) for stack, count in stacks.items()}


def align(stacks: Stacks, own: str, label: str) -> Stacks:
    """Give the variants' own files one name, so that functions meet although their files and classes differ."""
    if own == label:
        return stacks
    aligned: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        aligned[tuple(Frame(f.function.rpartition(".")[2], label) if f.file == own else f for f in stack)] += count
    return dict(aligned)


def own_label(baseline: str, candidate: str) -> str:
    """`baseline.py → candidate.py`, or the one name."""
    return baseline if baseline == candidate else baseline + ARROW + candidate


def explain(difference: Difference, targets: Targets, optimized_path: Targets) -> ProfileDiff:
    """All shares are percent of the baseline's time; `saved_in_targets_percent` is by inclusive time.

    `savings` holds the 20 functions that changed most, those that saved most first; negative: it got dearer.
    """
    before, after = sum(difference.before.values()), sum(difference.after.values())
    inside = target_samples(difference.before, targets) - target_samples(difference.after, targets)
    times = _inclusive(difference)
    savings = [_saving(frame, *times[frame], targets, optimized_path) for frame in times]
    largest = sorted(savings, key=lambda saving: (-abs(saving.saved_percent), saving.file, saving.function))
    return ProfileDiff(
        after_total_percent=_percent(after),
        saved_percent=_percent(before - after),
        saved_in_targets_percent=_percent(inside),
        savings=tuple(sorted(largest[:MAX_SAVINGS], key=lambda saving: -saving.saved_percent)),
    )


def _inclusive(difference: Difference) -> dict[Frame, tuple[int, int]]:
    before, after = (_totals(stacks) for stacks in (difference.before, difference.after))
    return {frame: (before[frame], after[frame]) for frame in before | after}


def _totals(stacks: Stacks) -> Counter[Frame]:
    totals: Counter[Frame] = Counter()
    for stack, count in stacks.items():
        totals.update(dict.fromkeys(stack, count))
    return totals


def _saving(frame: Frame, before: int, after: int, targets: Targets, optimized_path: Targets) -> Saving:
    return Saving(
        function=frame.function,
        file=frame.file,
        before_percent=_percent(before),
        after_percent=_percent(after),
        saved_percent=_percent(before - after),
        in_optimized_path=optimized_path.match(frame) or targets.match(frame),
    )


def _percent(units: int) -> float:
    return round(100 * units / SCALE, 3)
