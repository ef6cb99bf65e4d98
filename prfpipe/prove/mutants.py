"""Plausible bugs in the candidate's place: a proof that misses one would miss it in the candidate too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from prfpipe.errors import LeverError, SubjectError
from prfpipe.models import LeverMutant, LeverSpec, MutantResult, PythonVariant
from prfpipe.prove.conformance import Case
from prfpipe.prove.stand import BASELINE, Lineup, Side, Stand, difference, naming
from prfpipe.prove.text import plain
from prfpipe.subject.process import Workload

_MAX_DETAIL = 300


@dataclass(frozen=True)
class Trap:
    """A mutant and its case; where nothing is `expected` (an edge case) the baseline says what is right."""

    mutant: LeverMutant
    params: Mapping[str, Any]
    operations: Sequence[object]
    expected: Sequence[object] | None


def traps(
    spec: LeverSpec, edge_cases: Sequence[tuple[str, Sequence[object]]], cases: Sequence[Case]
) -> tuple[Trap, ...]:
    """Each mutant of a lever with the case that must catch it.

    Raises:
        LeverError: a `caught_by` is not the name of one case.
    """
    known = [*(name for name, _ in edge_cases), *(case.name for case in cases)]
    for mutant in spec.mutants:
        _check_name(mutant, known)
    # An edge case without operations catches nothing; that it has none is said elsewhere.
    found: dict[str, Any] = {name: (spec.primary.params, operations, None) for name, operations in edge_cases}
    found |= {case.name: (case.params, case.operations, case.expected) for case in cases}
    return tuple(Trap(mutant, *found[mutant.caught_by]) for mutant in spec.mutants)


def _check_name(mutant: LeverMutant, known: Sequence[str]) -> None:
    if known.count(mutant.caught_by) == 1:
        return
    nearest = get_close_matches(mutant.caught_by, known, n=1, cutoff=0.0)
    what = "two cases have that name" if mutant.caught_by in known else "no edge case or conformance case has that name"
    raise LeverError(
        f"mutant `{mutant.name}` is to be caught by `{plain(mutant.caught_by)}`, but {what}",
        hint=f"Give the exact name of one case; the nearest is `{plain(''.join(nearest))}`.",
    )


def run(stand: Stand, workload: Workload, found: Sequence[Trap]) -> tuple[MutantResult, ...]:
    """Every mutant on its case; one that does not even start is trouble, since it shows nothing.

    Raises:
        SubjectError: a mutant cannot be imported or made, or the baseline or the workload fails.
    """
    results = []
    for number, trap in enumerate(found, start=1):
        stand.progress(f"mutants {number}/{len(found)}: {trap.mutant.name}")
        with naming(f"case `{plain(trap.mutant.caught_by)}`"):
            sign = _first_sign(_in_place(stand, trap.mutant), workload, trap) if trap.operations else ""
        results.append(_result(trap.mutant, sign))
    return tuple(results)


def _in_place(stand: Stand, mutant: LeverMutant) -> Stand:
    """The same stand with the mutant for a candidate; its results are no exhibits."""
    variants = stand.spec.variants.model_copy(update={"candidate": PythonVariant(python=mutant.python)})
    return replace(stand, spec=stand.spec.model_copy(update={"variants": variants}), exhibits=[])


def _result(mutant: LeverMutant, sign: str) -> MutantResult:
    detail = sign or "every result is right"
    return MutantResult(mutant=mutant.name, caught_by=plain(mutant.caught_by), caught=bool(sign), detail=detail)


class _CaughtError(Exception):
    """The first sign that something is wrong: it ends the lineup at once, since the mutant may be dead."""


def _first_sign(stand: Stand, workload: Workload, trap: Trap) -> str:
    """How the case shows that something is wrong; nothing where it does not."""
    mutant = Side("candidate", f"mutant {trap.mutant.name}")
    sides = (BASELINE, mutant) if trap.expected is None else (mutant,)
    try:
        with stand.lineup(sides, workload, trap.params, trap.operations[0]) as lineup:
            for index in range(len(trap.operations)):
                _look(lineup, workload, trap, index)
    except _CaughtError as caught:
        return str(caught)
    return ""


def _look(lineup: Lineup, workload: Workload, trap: Trap, index: int) -> None:
    *others, found = lineup.outcomes(trap.operations[index])
    for failure in others:
        if isinstance(failure, SubjectError):
            raise failure
    if isinstance(found, SubjectError):
        raise _CaughtError(plain(found.message, _MAX_DETAIL))
    [right] = others if trap.expected is None else [trap.expected[index]]
    if detail := difference(workload, right, found, ("right", "mutant")):
        raise _CaughtError(f"operation {index}: {detail}")
