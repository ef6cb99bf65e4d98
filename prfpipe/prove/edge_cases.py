"""The lever's named sequences of operations, each on a fresh pair of subjects."""

from collections.abc import Iterator

from prfpipe.errors import LeverError
from prfpipe.models import CaseResult
from prfpipe.prove.edge_coverage import EdgeCoverage
from prfpipe.prove.stand import BASELINE, CANDIDATE, Side, Stand, against, naming
from prfpipe.prove.text import plain
from prfpipe.subject.process import Workload


def run(stand: Stand, workload: Workload, coverage: EdgeCoverage | None) -> tuple[CaseResult, ...]:
    """Every edge case of the primary scenario; the candidate runs under `coverage` where there is one, and without.

    One that is right only while it is watched is wrong.

    Raises:
        LeverError: two cases have one name, so that a failure could not be told from another.
    """
    cases = workload.edge_cases()
    results: dict[str, CaseResult] = {}
    for number, (raw, operations) in enumerate(cases, start=1):
        name = plain(raw)
        if name in results:
            raise LeverError(f"edge_cases() gives two cases named `{name}`", hint="Give each a name of its own.")
        stand.progress(f"edge cases {number}/{len(cases)}: {name}")
        results[name] = _run_case(stand, workload, name, operations, coverage)
    return tuple(results.values())


def _run_case(
    stand: Stand, workload: Workload, name: str, operations: list[object], coverage: EdgeCoverage | None
) -> CaseResult:
    details: list[str] = []
    if operations:
        watched = coverage.wrap() if coverage else ()
        sides = (
            [Side("candidate", "candidate under coverage.py", watched, (coverage.folder,))]
            if coverage and watched
            else []
        )
        with naming(f"edge case `{name}`"):
            details = list(_differences(stand, workload, operations, [CANDIDATE, *sides]))
    return CaseResult(name=name, passed=not details, operations=len(operations), detail="\n".join(details[:3]))


def _differences(stand: Stand, workload: Workload, operations: list[object], sides: list[Side]) -> Iterator[str]:
    params = stand.spec.primary.params
    with stand.lineup((BASELINE, *sides), workload, params, operations[0]) as lineup:
        for index, operation in enumerate(operations):
            answers = lineup.answer(operation)
            for at, side in enumerate(sides, start=1):
                if detail := against(lineup, answers, at, (BASELINE.label, side.label)):
                    yield f"operation {index}: {detail}"
