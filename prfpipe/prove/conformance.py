"""Checked-in cases with expected results, run on both variants."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from prfpipe.digests import canonical_json, read_json
from prfpipe.errors import BundleError, LeverError
from prfpipe.models import CaseResult, ConformanceResult, Record
from prfpipe.prove.stand import BASELINE, CANDIDATE, Stand, difference, naming
from prfpipe.prove.text import plain
from prfpipe.subject.process import Workload

FOLDER = "conformance"
_SIDES = (BASELINE, CANDIDATE)
_HINT = 'A case is {"name": …, "params": {…}, "operations": [one or more], "expected": [one for each operation]}.'


class Case(Record):
    """One file of the lever's `conformance` folder."""

    name: str = Field(min_length=1)
    params: dict[str, Any]
    operations: list[Any] = Field(min_length=1)
    expected: list[Any]


def load(tree: Path) -> tuple[Case, ...]:
    """All cases of a lever, by file name.

    Raises:
        LeverError: a file is not a case, or two have one name.
    """
    cases: dict[str, Case] = {}
    for path in sorted((tree / FOLDER).glob("*.json")):
        case = _case(path)
        if case.name in cases:
            raise LeverError(
                f"{FOLDER}/{path.name}: `{plain(case.name)}` is the name of a case in another file too",
                hint="Give each conformance case a name of its own.",
            )
        cases[case.name] = case
    return tuple(cases.values())


def _case(path: Path) -> Case:
    source = f"{FOLDER}/{path.name}"
    try:
        data = read_json(path.read_bytes(), source=source)
        canonical_json(data)  # refuses numbers like 1e999, which no subject could be sent
        case = Case.model_validate(data)
    except BundleError as error:
        raise LeverError(error.message, hint=_HINT) from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the whole"
        raise LeverError(f"{source}: {plain(where)}: {error.errors()[0]['msg']}", hint=_HINT) from error
    except ValueError as error:
        raise LeverError(f"{source}: {error}", hint=_HINT) from error
    if len(case.operations) != len(case.expected):
        raise LeverError(
            f"{source}: {len(case.operations)} operations but {len(case.expected)} expected results",
            hint=_HINT,
        )
    return case


@dataclass(frozen=True)
class _Finding:
    side: int
    detail: str


def run(stand: Stand, workload: Workload, cases: tuple[Case, ...]) -> tuple[ConformanceResult, ...]:
    """Every case on fresh subjects of both variants, compared with what is expected."""
    found: list[tuple[CaseResult, ...]] = []
    for number, case in enumerate(cases, start=1):
        stand.progress(f"conformance {number}/{len(cases)}: {plain(case.name)}")
        found.append(_run_case(stand, workload, case))
    return tuple(
        ConformanceResult(variant=side.variant, cases=tuple(results[at] for results in found))
        for at, side in enumerate(_SIDES)
    )


def _run_case(stand: Stand, workload: Workload, case: Case) -> tuple[CaseResult, ...]:
    name = plain(case.name)
    with naming(f"conformance case `{name}`"):
        findings = list(_findings(stand, workload, case))
    results = []
    for at in range(len(_SIDES)):
        details = [finding.detail for finding in findings if finding.side == at]
        results.append(
            CaseResult(name=name, passed=not details, operations=len(case.operations), detail="\n".join(details[:3]))
        )
    return tuple(results)


def _findings(stand: Stand, workload: Workload, case: Case) -> Iterator[_Finding]:
    with stand.lineup(_SIDES, workload, case.params, case.operations[0]) as lineup:
        for index, (operation, expected) in enumerate(zip(case.operations, case.expected, strict=True)):
            answers = lineup.answer(operation)
            for at, side in enumerate(_SIDES):
                if detail := difference(workload, expected, answers[at], ("expected", side.label)):
                    yield _Finding(at, f"operation {index}: {detail}")
