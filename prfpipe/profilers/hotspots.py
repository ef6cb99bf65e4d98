"""What a CPU profile says: hotspots, the targets' share, Amdahl's bound; or that it is invalid."""

from collections import Counter
from collections.abc import Sequence

from prfpipe.doctrine import HOTSPOTS as TOP
from prfpipe.errors import ProfilerError, TooFewSamplesError
from prfpipe.models import CpuProfile, Hotspot
from prfpipe.profilers.frames import Frame, Stacks, Targets

MIN_SAMPLES = 100
MAX_UNKNOWN_PERCENT = 20.0
MAX_ERROR_PERCENT = 5.0


def summarize(stacks: Stacks, *, errors: int, targets: Targets) -> CpuProfile:
    """Summary of a profile that counts only operations; hotspots are the top 10 by self and by total.

    Raises:
        TooFewSamplesError: too few samples to say anything.
        ProfilerError: too many sampling errors, or too many frames without a name.
    """
    samples = sum(stacks.values())
    unknown = percent(sum(n for stack, n in stacks.items() if any(f.unknown for f in stack)), samples)
    _refuse_invalid(samples, errors, unknown)
    inside = target_samples(stacks, targets)
    every = hotspots(stacks)
    named = dict.fromkeys((*top_self(every), *top_total(every)))
    return CpuProfile(
        samples=samples,
        errors=errors,
        unknown_percent=unknown,
        hotspots=tuple(hotspot for hotspot in every if hotspot in named),
        targets=targets.entries,
        target_percent=percent(inside, samples),
        amdahl_speedup=amdahl(inside, samples),
    )


def _refuse_invalid(samples: int, errors: int, unknown_percent: float) -> None:
    if samples < MIN_SAMPLES:
        raise TooFewSamplesError(
            f"invalid profile: {samples} samples inside operations, at least {MIN_SAMPLES} are needed",
            hint="Profile for longer, or give the primary scenario longer operations.",
        )
    if percent(errors, samples + errors) > MAX_ERROR_PERCENT:
        raise ProfilerError(
            f"invalid profile: {errors} sampling errors beside {samples} samples",
            hint="The machine is too busy, or this Python too new for py-spy: try again, update py-spy.",
        )
    if unknown_percent > MAX_UNKNOWN_PERCENT:
        raise ProfilerError(
            f"invalid profile: {unknown_percent:.1f} % of the samples have frames without a name",
            hint="Use an interpreter that py-spy knows, and code with names.",
        )


def hotspots(stacks: Stacks) -> tuple[Hotspot, ...]:
    """Every function, by self share; one that is in a stack twice (recursion) counts once in its total."""
    alone: Counter[Frame] = Counter()
    inclusive: Counter[Frame] = Counter()
    for stack, count in stacks.items():
        alone[stack[-1]] += count
        inclusive.update(dict.fromkeys(stack, count))
    samples = sum(stacks.values())
    order = sorted(inclusive, key=lambda frame: (-alone[frame], -inclusive[frame], frame))
    return tuple(
        Hotspot(
            function=frame.function,
            file=frame.file,
            self_percent=percent(alone[frame], samples),
            total_percent=percent(inclusive[frame], samples),
        )
        for frame in order
    )


def top_self(hotspots: Sequence[Hotspot]) -> tuple[Hotspot, ...]:
    """The ten functions that are most often on top of the stack."""
    return tuple(sorted(hotspots, key=lambda found: (-found.self_percent, -found.total_percent))[:TOP])


def top_total(hotspots: Sequence[Hotspot]) -> tuple[Hotspot, ...]:
    """The ten functions that are most often anywhere in the stack."""
    return tuple(sorted(hotspots, key=lambda found: (-found.total_percent, -found.self_percent))[:TOP])


def target_samples(stacks: Stacks, targets: Targets) -> int:
    """Samples with a target anywhere in their stack."""
    return sum(count for stack, count in stacks.items() if any(map(targets.match, stack)))


def amdahl(inside: int, samples: int) -> float | None:
    """The speed-up if what is inside took no time: 1 / (1 - share) (Amdahl 1967); None for everything."""
    return None if inside >= samples else round(samples / (samples - inside), 4)


def percent(part: int, whole: int) -> float:
    """Share in percent, to four decimals; 0 of nothing is 0."""
    return round(100 * part / whole, 4) if whole else 0.0
