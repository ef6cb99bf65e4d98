"""Fresh generated operations on both variants side by side, state carried along, every result compared."""

import time
from collections.abc import Sequence

from prfpipe.models import CaseResult, LockstepResult, Scenario
from prfpipe.prove.stand import (
    BASELINE,
    BASELINE_AGAIN,
    CANDIDATE,
    Lineup,
    Side,
    Stand,
    against,
    derive,
    naming,
)
from prfpipe.subject.process import Workload

MIN_OPERATIONS = 2
MAX_OPERATIONS = 1000
_MAX_DIFFERENCES = 3


def run(stand: Stand, stage: str, seconds: float) -> tuple[LockstepResult, ...]:
    """Every scenario for its share of `seconds`; the primary, which has a third process, gets twice as much.

    Time that a scenario leaves goes to those after it; each makes `MIN_OPERATIONS` however long they take.
    """
    deadline = time.monotonic() + seconds
    weights = [2 if scenario.primary else 1 for scenario in stand.spec.scenarios]
    results: list[LockstepResult] = []
    for at, scenario in enumerate(stand.spec.scenarios):
        left = max(0.0, deadline - time.monotonic())
        share = left * weights[at] / sum(weights[at:])
        stand.progress(f"lockstep {at + 1}/{len(weights)}: {scenario.name}, up to {share:.0f} s")
        results.extend(_scenario(stand, scenario, derive(stand.seed, stage, scenario.name), share))
    return tuple(results)


def _scenario(stand: Stand, scenario: Scenario, seed: int, seconds: float) -> tuple[LockstepResult, ...]:
    others = (CANDIDATE, BASELINE_AGAIN) if scenario.primary else (CANDIDATE,)
    differences: dict[str, list[CaseResult]] = {side.label: [] for side in others}
    with naming(f"lockstep of {scenario.name}"), stand.workload(scenario.params) as workload:
        workload.stream(seed)
        operations = _run(stand, scenario, workload, differences, (BASELINE, *others), seconds)
    return tuple(
        LockstepResult(
            scenario=scenario.name,
            against=side.variant,
            seed=seed,
            operations=operations,
            differences=tuple(differences[side.label]),
        )
        for side in others
    )


def _run(
    stand: Stand,
    scenario: Scenario,
    workload: Workload,
    differences: dict[str, list[CaseResult]],
    sides: Sequence[Side],
    seconds: float,
) -> int:
    """Fill `differences` and return how many operations were compared."""
    [operation] = workload.next(1)
    with stand.lineup(sides, workload, scenario.params, operation) as lineup:
        deadline = time.monotonic() + seconds
        for index in range(MAX_OPERATIONS):
            if index >= MIN_OPERATIONS and (time.monotonic() >= deadline or _enough(differences)):
                return index
            if index:
                [operation] = workload.next(1)
            answers = lineup.answer(operation)
            if index == 0:
                lineup.settle()
            _compare(lineup, sides, answers, index, differences)
    return MAX_OPERATIONS


def _enough(differences: dict[str, list[CaseResult]]) -> bool:
    return any(len(found) >= _MAX_DIFFERENCES for found in differences.values())


def _compare(
    lineup: Lineup,
    sides: Sequence[Side],
    answers: Sequence[object],
    index: int,
    differences: dict[str, list[CaseResult]],
) -> None:
    for at, side in enumerate(sides[1:], start=1):
        if detail := against(lineup, answers, at, (sides[0].label, side.label)):
            differences[side.label].append(
                CaseResult(name=f"operation {index}", passed=False, operations=1, detail=detail)
            )
