"""Proofs of small lever folders, and what speaks against them."""

from pathlib import Path
from typing import Literal

from prfpipe.models import ProofRecord
from prfpipe.proof_rules import failures
from prfpipe.prove import prove
from tests.support.levers import BASELINE, WORKLOAD, spec_of


def proof_of(
    folder: Path,
    *,
    stage: Literal["prove", "verify"] | None = None,
    seconds: float = 0.0,
    with_coverage: bool = False,
    timeout: float = 120.0,
    said: list[str] | None = None,
) -> ProofRecord:
    return prove(
        spec_of(folder),
        folder,
        folder.parent / "scratch",
        stage=stage or ("prove" if with_coverage else "verify"),
        seed=7,
        timeout=timeout,
        budget_seconds=seconds,
        with_coverage=with_coverage,
        progress=[].append if said is None else said.append,
    )


def codes(record: ProofRecord) -> set[str]:
    return {reason.code for reason in failures(record)}


def messages(record: ProofRecord, code: str) -> str:
    return "\n".join(reason.message for reason in failures(record) if reason.code == code)


def with_edge_cases(cases: str) -> str:
    return WORKLOAD.split("def edge_cases")[0] + f"def edge_cases(params):\n{cases}\n"


def with_canonical(body: str) -> str:
    return WORKLOAD.replace("return json.dumps(result, sort_keys=True).encode()", body)


def candidate_with(line: str) -> str:
    """The baseline with one more line before it counts: easy to make wrong."""
    return BASELINE.replace("        counts = {}\n", f"        counts = {{}}\n        {line}\n")
