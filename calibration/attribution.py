"""Where the variance of prfpipe's estimate comes from: between processes, or within them.

An invocation gives one ratio of medians for each half of its rounds (pairs of rounds alternate between the halves).
What both halves share is the process's own (its memory layout, its hash seed); the rest is noise within it. With the
halves' correlation r, the share of the whole invocation's variance that is between processes is 2r / (1 + r)
(Spearman & Brown 1910); its interval is Fisher's. Correlation and spread are by ranks, since a neighbour's burst in
one half would otherwise decide them, while prfpipe's own estimate is robust against it.
"""

import math
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, correlation, median, quantiles

from calibration.case import LEVER
from calibration.results import Attribution
from calibration.with_prfpipe import spec_for
from prfpipe import measure
from prfpipe.models import ARMS, Schedule
from prfpipe.subject.process import Subject
from prfpipe.subject.variants import subject_launch

INVOCATIONS = 120
FEWEST = 4
_WARMUP = 20
_NO_ASLR = ("setarch", "-R")


@dataclass(frozen=True)
class Condition:
    """What is left to chance in each invocation."""

    name: str
    random_environment: bool
    random_layout: bool


CONDITIONS = (
    Condition("all random (as prfpipe measures)", random_environment=True, random_layout=True),
    Condition("hash seed and environment fixed", random_environment=False, random_layout=True),
    Condition("address layout fixed (setarch -R)", random_environment=True, random_layout=False),
    Condition("all fixed", random_environment=False, random_layout=False),
)


@dataclass(frozen=True)
class Halves:
    """One invocation: log ratios of the medians in each half and in all of it, and its time in all."""

    first: float
    second: float
    whole: float
    elapsed_s: float
    timed_s: float


def measured(cpu: int, scratch: Path, *, invocations: int, seed: int) -> Iterator[tuple[Condition, Halves]]:
    """Invocations of identical code under all conditions, in random order; three arms, as in prfpipe."""
    rng = random.Random(seed)
    allowed = [condition for condition in CONDITIONS if condition.random_layout or _layout_can_be_fixed()]
    order = [condition for condition in allowed for _ in range(invocations)]
    rng.shuffle(order)
    schedule = measure.choose_schedule(
        measure.Bench(spec_for("identical", 0), dict.fromkeys(ARMS, LEVER), scratch, cpu, 60.0),
        spec_for("identical", 0).primary,
        seed,
    )
    for condition in order:
        yield condition, _invoke(condition, schedule, rng, cpu, scratch)


def _layout_can_be_fixed() -> bool:
    try:
        return subprocess.run([*_NO_ASLR, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _invoke(condition: Condition, schedule: Schedule, rng: random.Random, cpu: int, scratch: Path) -> Halves:
    start = time.perf_counter()
    samples: list[tuple[list[int], list[int]]] = [([], []) for _ in ARMS]
    with ExitStack() as stack:
        subjects = _started(condition, rng, cpu, scratch, stack)
        for number in range(schedule.rounds):
            if number % 2 == 0:
                order = rng.sample(range(len(ARMS)), len(ARMS))
            operations = [rng.randrange(10**6) for _ in range(schedule.block * schedule.group)]
            for arm in order if number % 2 == 0 else reversed(order):
                samples[arm][number // 2 % 2].extend(subjects[arm].run(operations, schedule.group).samples_ns)
        for subject in subjects:
            subject.close()
    timed = sum(sum(half) for arm in samples for half in arm) / 1e9
    first, second = (_log_ratio(samples[0][half], samples[-1][half]) for half in (0, 1))
    whole = _log_ratio([*samples[0][0], *samples[0][1]], [*samples[-1][0], *samples[-1][1]])
    return Halves(first, second, whole, time.perf_counter() - start, timed)


def _log_ratio(before: Sequence[int], after: Sequence[int]) -> float:
    return math.log(median(after) / median(before))


def _started(condition: Condition, rng: random.Random, cpu: int, scratch: Path, stack: ExitStack) -> list[Subject]:
    environment = {"PYTHONHASHSEED": str(rng.randrange(2**32)), "PRFPIPE_PADDING": "x" * rng.randrange(4096)}
    launch = subject_launch(
        spec_for("identical", 0),
        "baseline",
        LEVER,
        scratch,
        timeout=60.0,
        cpu=cpu,
        extra_environment=environment if condition.random_environment else {},
        wrap=() if condition.random_layout else (*_NO_ASLR, sys.executable, "-P"),
    )
    subjects = [stack.enter_context(Subject(launch)) for _ in ARMS]
    for subject in subjects:
        subject.hello({"extra_percent": 0}, scratch)
        subject.run(range(_WARMUP))
        subject.settle()
    return subjects


def summarize(condition: Condition, found: Sequence[Halves]) -> Attribution:
    """The figures of one condition; at least four invocations."""
    by_rank = correlation(_ranks([item.first for item in found]), _ranks([item.second for item in found]))
    r = 2 * math.sin(math.pi * by_rank / 6)
    reach = 1.96 / math.sqrt(max(len(found) - 3, 1))
    low, high = (math.tanh(math.atanh(min(r, 0.9999)) + side * reach) for side in (-1, 1))
    return Attribution(
        condition=condition.name,
        invocations=len(found),
        invocation_ms=round(1e3 * median(item.timed_s for item in found), 2),
        spawn_ms=round(1e3 * median(item.elapsed_s - item.timed_s for item in found), 2),
        sd_percent=round(100 * _robust_sd([item.whole for item in found]), 4),
        between_share=round(_whole_share(r), 4),
        between_low=round(_whole_share(low), 4),
        between_high=round(_whole_share(high), 4),
    )


def _ranks(values: Sequence[float]) -> list[int]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    for rank, index in enumerate(order):
        ranks[index] = rank
    return ranks


def _robust_sd(values: Sequence[float]) -> float:
    """The standard deviation of the normal distribution with this interquartile range."""
    low, _, high = quantiles(values, n=4)
    return (high - low) / (2 * NormalDist().inv_cdf(0.75))


def _whole_share(r: float) -> float:
    """The halves' correlation -> the share of the whole's variance; none of it where the halves disagree."""
    return max(0.0, 2 * r / (1 + r))


def predicted_sd(found: Attribution, *, invocation_ms: float, seconds: float) -> float:
    """The spread of a mean over as many invocations of `invocation_ms` as fit into `seconds`, in percent."""
    between = found.sd_percent**2 * found.between_share
    within = found.sd_percent**2 * (1 - found.between_share) * found.invocation_ms / invocation_ms
    invocations = seconds * 1e3 / (found.spawn_ms + invocation_ms)
    return math.sqrt((between + within) / invocations)
