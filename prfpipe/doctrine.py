"""The performance doctrine as data (section 7, bead bd-2vl5), so that code can check what it asks for.

Nothing here decides anything: `gates` measures the principles, `layout` knows which files answer to which
artifact, `audit` checks the invariants over a bundle. `docs/doctrine.md` says where each clause lives.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Stage(StrEnum):
    """The stages of a run, in order. `MS01` are the six that the doctrine asks for."""

    PLAN = "plan"
    BASELINE = "baseline"
    PROFILE = "profile"
    PROVE = "prove"
    IMPLEMENT = "implement"
    VERIFY = "verify"
    REPROFILE = "reprofile"
    DECIDE = "decide"
    ARCHIVE = "archive"

    @property
    def rank(self) -> int:
        """0 for the first stage."""
        return list(Stage).index(self)


MS01: tuple[Stage, ...] = (
    Stage.BASELINE,
    Stage.PROFILE,
    Stage.PROVE,
    Stage.IMPLEMENT,
    Stage.VERIFY,
    Stage.REPROFILE,
)


@dataclass(frozen=True, slots=True)
class Principle:
    """One of PRF-01..04: what is measured, over what, and the budget of its gate.

    `budget` counts in `unit` ("ms" or "percent"); None where the doctrine leaves it to each subsystem.
    """

    id: str
    title: str
    target: str
    measurement: str
    gate: str
    budget: float | None
    unit: Literal["ms", "percent"]
    owner_track: str


@dataclass(frozen=True, slots=True)
class Lever:
    """One of LEV-01..05 as the doctrine proposes it; `expected` is the range of the speed-up factor."""

    id: str
    title: str
    expected: tuple[float, float]
    risk: str
    owner_track: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """One of ART-01..05 and every field that it must hold."""

    id: str
    title: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventCode:
    """One of PRF-001..005."""

    code: str
    level: Literal["info", "error"]
    meaning: str


@dataclass(frozen=True, slots=True)
class Invariant:
    """One of INV-PRF-*."""

    id: str
    statement: str


@dataclass(frozen=True, slots=True)
class Owner:
    """A row of the implementation mapping."""

    subsystem: str
    track: str
    concerns: tuple[str, ...]


PRINCIPLES: tuple[Principle, ...] = (
    Principle(
        "PRF-01",
        "Low startup overhead",
        "Cold-start < 100 ms for migration and CI loops",
        "process spawn to first-operation readiness over 100 samples, p50/p95/p99",
        "cold-start benchmark with a 100 ms p99 threshold",
        100.0,
        "ms",
        "10.6",
    ),
    Principle(
        "PRF-02",
        "Predictable p99 under extension churn",
        "p99 within the budget of each subsystem under realistic extension churn",
        "p99 under 100 extension add/remove cycles, compared to a static baseline",
        "churn benchmark with p99 budgets per subsystem",
        None,
        "ms",
        "10.6",
    ),
    Principle(
        "PRF-03",
        "Bounded security instrumentation overhead",
        "Security instrumentation adds < 5 % to hot-path operations",
        "hot-path latency with instrumentation enabled against disabled, in percent",
        "instrumentation overhead benchmark with a 5 % threshold",
        5.0,
        "percent",
        "10.18",
    ),
    Principle(
        "PRF-04",
        "Fast migration feedback",
        "Compatibility diff generation < 500 ms for typical workloads",
        "time of a compatibility diff for 10, 100 and 1000 modules",
        "diff generation benchmark with a 500 ms p99 threshold",
        500.0,
        "ms",
        "10.6",
    ),
)

LEVERS: tuple[Lever, ...] = (
    Lever(
        "LEV-01",
        "Compatibility cache with deterministic invalidation",
        (5.0, 10.0),
        "Cache coherence bugs could produce incorrect compatibility results.",
        "10.6",
    ),
    Lever(
        "LEV-02",
        "Lockstep differential harness acceleration",
        (2.0, 5.0),
        "Structural diff could miss subtle serialization differences.",
        "10.6",
    ),
    Lever(
        "LEV-03",
        "Zero-copy hostcall bridge paths",
        (3.0, 8.0),
        "Memory safety requires careful lifetime management.",
        "10.6",
    ),
    Lever(
        "LEV-04",
        "Batch policy evaluation",
        (2.0, 4.0),
        "Batch semantics may differ from sequential for state-dependent policies.",
        "10.5",
    ),
    Lever(
        "LEV-05",
        "Multi-lane scheduler tuning",
        (1.5, 3.0),
        "Tuning may not generalize across deployment profiles.",
        "10.15",
    ),
)

ARTIFACTS: tuple[Artifact, ...] = (
    Artifact(
        "ART-01",
        "Baseline report",
        (
            "hardware and environment",
            "command to reproduce",
            "p50 latency",
            "p95 latency",
            "p99 latency",
            "throughput",
            "memory footprint",
            "timestamp",
            "git commit",
        ),
    ),
    Artifact("ART-02", "Profile artifacts", ("flamegraph", "top-10 hotspots in percent", "allocation profile")),
    Artifact(
        "ART-03",
        "Before/after comparison",
        (
            "p50 latency",
            "p95 latency",
            "p99 latency",
            "throughput",
            "peak RSS",
            "cold-start time",
            "improvement in percent",
        ),
    ),
    Artifact(
        "ART-04",
        "Compatibility correctness proof",
        ("conformance before and after", "lockstep comparison", "edge-case coverage of the optimized path"),
    ),
    Artifact(
        "ART-05",
        "Tail-latency impact note",
        ("p99 impact", "overhead in percent", "justification if the overhead exceeds 5 %"),
    ),
)

EVENT_CODES: tuple[EventCode, ...] = (
    EventCode("PRF-001", "info", "Performance doctrine compliance verified"),
    EventCode("PRF-002", "error", "Missing required performance artifact"),
    EventCode("PRF-003", "info", "Optimization lever profiled with before/after evidence"),
    EventCode("PRF-004", "error", "p99 budget exceeded for subsystem"),
    EventCode("PRF-005", "info", "Cold-start budget met"),
)

INVARIANTS: tuple[Invariant, ...] = (
    Invariant("INV-PRF-PRINCIPLES", "All 4 core principles have measurable metrics and CI gates"),
    Invariant("INV-PRF-ARTIFACTS", "Performance-affecting PRs include all 5 required artifact types"),
    Invariant("INV-PRF-PROFILED", "Every optimization lever has before/after evidence"),
    Invariant("INV-PRF-COMPAT", "Tuned paths have compatibility correctness proofs"),
)

OWNERS: tuple[Owner, ...] = (
    Owner("Cold-start and p99 gates", "10.6", ("PRF-01", "PRF-02")),
    Owner("Lockstep harness optimization", "10.6", ("LEV-02",)),
    Owner("Migration scanner throughput", "10.6", ("PRF-04",)),
    Owner("Security instrumentation overhead", "10.18", ("PRF-03",)),
    Owner("Scheduler tuning", "10.15", ("LEV-05",)),
)

OVERHEAD_BUDGET_PERCENT = 5.0
"""ART-05: above it, the note must hold a justification."""

HOTSPOTS = 10
"""ART-02: how many hotspots the table shows."""
