"""Clocks that were written down before: real processes, answers and files, with times that no neighbour can change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from prfpipe.loop import measuring
from prfpipe.measure import Bench
from prfpipe.models import Arm, ArmSamples, Invocation, Scenario, Schedule

SAMPLE_NS = 100_000
INVOCATION_NS = 200_000_000
COLD_START_NS = 40_000_000
WOBBLE = 0.001
"""Two copies of the baseline differ by so much, in turn one way and the other."""


@contextmanager
def recorded(speedup: float) -> Iterator[None]:
    """Inside, the loop measures as ever, and reads clocks by which the candidate is `speedup` times faster."""
    real = measuring.measure

    def measure(
        bench: Bench, scenario: Scenario, schedule: Schedule, seed: int, enough: Callable[[list[Invocation]], bool]
    ) -> Iterator[Invocation]:
        done: list[Invocation] = []
        for item in real(bench, scenario, schedule, seed, lambda _: enough(done)):
            done.append(_by_the_record(item, speedup))
            yield done[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "measure", measure)
        yield


def _by_the_record(item: Invocation, speedup: float) -> Invocation:
    turn = WOBBLE if item.index % 2 else -WOBBLE
    took: dict[Arm, float] = {"baseline": 1 + turn, "control": 1 - turn, "candidate": 1 / speedup}
    arms = {arm: _timed(found, round(SAMPLE_NS * took[arm])) for arm, found in item.arms.items()}
    return item.model_copy(update={"arms": arms, "elapsed_ns": (item.index + 1) * INVOCATION_NS})


def _timed(found: ArmSamples, sample_ns: int) -> ArmSamples:
    """As many samples and blocks as were taken, each as long as the record says on every clock."""
    blocks = (len(found.samples_ns) // len(found.wall_ns) * sample_ns,) * len(found.wall_ns)
    times = {"samples_ns": (sample_ns,) * len(found.samples_ns), "wall_ns": blocks, "cpu_ns": blocks}
    return found.model_copy(update={**times, "session_cpu_ns": sum(blocks), "cold_start_ns": COLD_START_NS})
