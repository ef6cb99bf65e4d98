"""The lever's named sequences of operations, each on a fresh pair of subjects."""

from collections.abc import Iterator

from prfpipe.errors import LeverError
from prfpipe.models import CaseResult
from prfpipe.prove.edge_coverage import EdgeCoverage
from prfpipe.prove.stand import BASELINE, Side, Stand, difference, naming
from prfpipe.prove.text import plain
from prfpipe.subject.process import Workload


def run(stand: Stand, workload: Workload, coverage: EdgeCoverage | None) -> tuple[CaseResult, ...]:
    """Every edge case of the primary scenario; the candidate runs under `coverage` where there is one.

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
        candidate = Side("candidate", "candidate", coverage.wrap() if coverage else ())
        with naming(f"edge case `{name}`"):
            details = list(_differences(stand, workload, operations, candidate))
    return CaseResult(name=name, passed=not details, operations=len(operations), detail="\n".join(details[:3]))


def _differences(stand: Stand, workload: Workload, operations: list[object], candidate: Side) -> Iterator[str]:
    params = stand.spec.primary.params
    with stand.lineup((BASELINE, candidate), workload, params, operations[0]) as lineup:
        for index, operation in enumerate(operations):
            baseline, other = lineup.answer(operation)
            if detail := difference(workload, baseline, other, ("baseline", "candidate")):
                yield f"operation {index}: {detail}"
