"""The whole proof of one tree, in order."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from prfpipe.models import LeverSpec, ProofRecord
from prfpipe.prove import conformance, edge_cases, lockstep, mutants, self_test
from prfpipe.prove.edge_coverage import EdgeCoverage
from prfpipe.prove.stand import Stand
from prfpipe.subject.variants import tree_digest


def prove(
    spec: LeverSpec,
    tree: Path,
    scratch: Path,
    *,
    stage: Literal["prove", "verify"],
    seed: int,
    timeout: float,
    budget_seconds: float,
    with_coverage: bool,
    progress: Callable[[str], None],
) -> ProofRecord:
    """Run every part of the proof on `tree`; what speaks against the lever is for `failures` to say.

    Conformance always runs whole, and so do edge cases and mutants in stage prove; lockstep takes what they leave
    of `budget_seconds`. `timeout` is in seconds for each answer of a subject. Nothing here is timed; with coverage,
    edge cases run the candidate under coverage.py.

    Raises:
        LeverError: a conformance file or the list of edge cases is not valid, or a mutant's case is not there.
        SubjectError: a subject crashed, hung or broke the protocol; the message names case and operation.
    """
    start = time.monotonic()
    digest = tree_digest(tree)
    cases = conformance.load(tree)
    scratch.mkdir(parents=True, exist_ok=True)
    stand = Stand(spec, tree, scratch, seed, timeout, progress)
    coverage = EdgeCoverage(spec, tree, scratch / "coverage") if with_coverage else None
    with stand.workload(spec.primary.params) as workload:
        trapped = mutants.traps(spec, workload.edge_cases(), cases) if stage == "prove" else ()
        conformed = conformance.run(stand, workload, cases)
        edges = edge_cases.run(stand, workload, coverage) if stage == "prove" else ()
        bugs = mutants.run(stand, workload, trapped)
        covered, reason = coverage.report() if coverage else (None, "")
        left = budget_seconds - (time.monotonic() - start)
        compared = lockstep.run(stand, stage, max(0.0, left))
        tested = self_test.run(stand, workload)
    return ProofRecord(
        stage=stage,
        tree_digest=digest,
        conformance=conformed,
        lockstep=compared,
        edge_cases=edges,
        coverage=covered,
        coverage_reason=reason,
        mutants=bugs,
        self_test=tested,
    )
