"""A complete made-up run, and the factories of all its records under one name: `from tests.support import records`."""

from collections.abc import Mapping
from typing import Any

from prfpipe.artifacts.evidence import Evidence
from prfpipe.digests import sha256_hex
from prfpipe.figures import baseline_results
from prfpipe.models import ClaimWord, VerdictWord
from tests.support.findings import (
    PATCH,
    case,
    flamegraph,
    hotspots,
    profile,
    profile_diff,
    proof,
    tree,
)
from tests.support.measured import invocation, samples, verdict
from tests.support.plans import HOSTILE, PRIMARY, RUN_ID, SPEEDUPS, host, lever, noise, plan, provenance, rule

__all__ = [
    "HOSTILE",
    "PATCH",
    "PRIMARY",
    "RUN_ID",
    "SPEEDUPS",
    "baseline_results",
    "case",
    "evidence",
    "flamegraph",
    "host",
    "hotspots",
    "invocation",
    "lever",
    "noise",
    "plan",
    "profile",
    "profile_diff",
    "proof",
    "provenance",
    "rule",
    "samples",
    "tree",
    "verdict",
]


def evidence(
    word: VerdictWord = "adopt", claim: ClaimWord = "met", speedups: Mapping[str, float] = SPEEDUPS, *,
    invocations: int = 10, operations: int = 40, **changes: Any,
) -> Evidence:  # fmt: skip
    """A complete run; give `changes` to replace parts of it."""
    the_plan = changes.pop("plan", None) or plan(lever(speedups))
    sample_set = samples(speedups, invocations=invocations, operations=operations)
    values: dict[str, Any] = {
        "plan": the_plan,
        "verdict": verdict(the_plan, sample_set, word, claim),
        "verdict_sha256": sha256_hex(b"verdict"),
        "baseline": baseline_results(the_plan, sample_set),
        "samples": sample_set,
        "prove": proof("prove"),
        "verify": proof("verify"),
        "profiles": (profile("baseline"), profile("candidate")),
        "diff": profile_diff(),
        "flamegraphs": {name: flamegraph(name) for name in ("baseline", "candidate", "diff")},
        "tree": tree(),
        "patch": PATCH,
    }
    return Evidence(**{**values, **changes})
