"""What ART-04 rests on."""

from typing import Literal

from prfpipe.models.base import Record, Sha256


class CaseResult(Record):
    """One case of the proof; `detail` says what differed, in at most a few lines."""

    name: str
    passed: bool
    operations: int
    detail: str = ""


class ConformanceResult(Record):
    """Checked-in cases with expected results, on one variant."""

    variant: Literal["baseline", "candidate"]
    cases: tuple[CaseResult, ...]


class LockstepResult(Record):
    """Fresh generated operations on the baseline and, side by side, on `against`, compared by the oracle.

    Against a second process of the baseline it shows that the baseline's output does not depend on chance.
    """

    scenario: str
    against: Literal["candidate", "baseline"] = "candidate"
    seed: int
    operations: int
    differences: tuple[CaseResult, ...]


class CoverageFile(Record):
    """Line and branch coverage of one file of the optimized path by the edge cases."""

    file: str
    lines: int
    branches: int
    missing_lines: tuple[int, ...]
    missing_branches: tuple[tuple[int, int], ...]
    excluded_lines: tuple[int, ...]


class MutantResult(Record):
    """A plausible bug in the candidate's place: whether the case `caught_by` shows it, and how or why not."""

    mutant: str
    caught_by: str
    caught: bool
    detail: str


class BadOutputResult(Record):
    """One kind of known-bad output that the oracle was shown `tried` times; `caught`: each time.

    `detail` says where in which result it was taken for right. A kind that applies to no result has `tried` 0.
    """

    kind: str
    caught: bool
    tried: int
    detail: str = ""


class ProofRecord(Record):
    """What ART-04 rests on; what speaks against the lever in it is for `proof_rules.failures` to say.

    `coverage` is None in stage verify, and where no file of the optimized path is Python, so that coverage.py cannot
    see into it; `coverage_reason` then says so.
    """

    stage: Literal["prove", "verify"]
    tree_digest: Sha256
    conformance: tuple[ConformanceResult, ...]
    lockstep: tuple[LockstepResult, ...]
    edge_cases: tuple[CaseResult, ...] = ()
    coverage: tuple[CoverageFile, ...] | None = None
    coverage_reason: str = ""
    mutants: tuple[MutantResult, ...] = ()
    self_test: tuple[BadOutputResult, ...] = ()
