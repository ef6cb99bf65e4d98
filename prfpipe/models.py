"""Frozen, strict records that pass between rooms.

Unknown keys, NaN and infinities are refused. Times are integer nanoseconds, memory is integer kibibytes,
ratios are floats made from exact rationals by `stats.decimal` (so they are the same bits everywhere).
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RunId = Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[a-z0-9][a-z0-9-]{0,60}-[0-9a-f]{8}$")]
Percent = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Record(BaseModel):
    """Base of all records: frozen, strict, closed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


# ---- the lever ------------------------------------------------------------------------------------------


class Effort(StrEnum):
    """How long to measure: about 1, 3 and 15 minutes."""

    QUICK = "quick"
    STANDARD = "standard"
    RIGOROUS = "rigorous"

    @property
    def rank(self) -> int:
        """0 for the shortest effort."""
        return list(Effort).index(self)


Work = Literal["disk", "memory"]


class PythonVariant(Record):
    """A Python file that defines `class Subject`; path relative to the lever folder."""

    python: str


class CommandVariant(Record):
    """Any program that speaks the subject protocol; run with the lever folder as its working folder."""

    command: tuple[str, ...] = Field(min_length=1)


Variant = PythonVariant | CommandVariant


class Variants(Record):
    """The two sides of a comparison."""

    baseline: Variant
    candidate: Variant


class Scenario(Record):
    """A named set of workload parameters. It is measured at `from_effort` and above.

    `warmup` operations are answered by each fresh subject before its timed blocks; the first is the cold start.
    """

    name: str
    primary: bool = False
    params: dict[str, Any] = Field(default_factory=dict)
    from_effort: Effort = Effort.QUICK
    warmup: int = Field(default=1, ge=1, le=100_000)


GuardMetric = Literal["p99", "peak_rss", "cold_start", "throughput"]


class Guard(Record):
    """A metric that may not get worse by more than `max_regression_percent`."""

    metric: GuardMetric
    max_regression_percent: Percent


class CoverageExclusion(Record):
    """Lines of the optimized path that no edge case reaches, and why that is right."""

    file: str
    lines: tuple[int, ...]
    reason: str = Field(min_length=10)


class LeverSpec(Record):
    """A `lever.yaml`, validated. Paths are relative to the lever folder.

    `work`: where working folders lie. `memory` keeps the disk's noise out of levers that only read and write files;
    it hides what fsync costs, so it is not the default. Where the host has no room in memory, the disk is used.
    """

    id: str = Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$", max_length=40)
    title: str = Field(min_length=1, max_length=200)
    owner_track: str
    claim: str
    risk: str
    expected_speedup: tuple[float, float]
    min_gain_percent: Percent = 1.0
    optimized_path: tuple[str, ...] = Field(min_length=1)
    targets: tuple[str, ...] = ()
    workload: str
    variants: Variants
    scenarios: tuple[Scenario, ...] = Field(min_length=1)
    guards: tuple[Guard, ...] = ()
    profiles: tuple[Literal["py-spy", "memray"], ...] = ("py-spy", "memray")
    work: Work = "disk"
    requires: tuple[str, ...] = ()
    coverage_exclusions: tuple[CoverageExclusion, ...] = ()

    @property
    def primary(self) -> Scenario:
        """The scenario that the verdict is about."""
        return next(scenario for scenario in self.scenarios if scenario.primary)


# ---- the plan -------------------------------------------------------------------------------------------


class HostFingerprint(Record):
    """The machine that measures; nothing here may hold a secret (allow-listed fields only).

    `work`: the file system of the working folders, `memory` or `disk`.
    """

    name: str
    cpu_model: str
    cpus: int
    memory_kib: int
    kernel: str
    os: str
    python: str
    measuring_cpu: int
    virtualized: str
    work: Work = "disk"


class NoiseProbe(Record):
    """How much a fixed spin of work varies on the measuring CPU before the run.

    `spread_percent`: (p90 - p10) / p50 of `samples` spins of equal work. `stolen_percent`: steal time share.
    """

    samples: int
    spread_percent: float
    stolen_percent: float
    load_1min: float
    limit_percent: float
    accepted: bool


class Provenance(Record):
    """Where the code came from and how to run it again."""

    git_commit: str
    git_dirty: bool
    command: tuple[str, ...]
    created_at: str
    tools: dict[str, str]


class DecisionRule(Record):
    """All thresholds of the verdict, frozen before any measurement.

    `alpha` is the chance, over all looks together, that the primary effect's interval misses the truth;
    `look_fractions` are the shares of `seconds` at which the interval is looked at, `look_weights` the share of
    `alpha` that each of these looks adds to what may have been spent by then.
    """

    alpha: float
    look_fractions: tuple[float, ...]
    look_weights: tuple[float, ...]
    min_gain_percent: Percent
    expected_speedup: tuple[float, float]
    guards: tuple[Guard, ...]
    seconds: float
    secondary_seconds: float
    baseline_seconds: float
    min_invocations: int
    secondary_invocations: int
    max_invocations: int
    tail_confidence: float


class Plan(Record):
    """Everything that is fixed before the first measurement."""

    format: Literal["prfpipe/plan/v1"] = "prfpipe/plan/v1"
    run_id: RunId
    lever: LeverSpec
    effort: Effort
    rule: DecisionRule
    seed: int
    source_files: dict[str, Sha256]
    source_digest: Sha256
    host: HostFingerprint
    noise: NoiseProbe
    provenance: Provenance


# ---- samples --------------------------------------------------------------------------------------------

Arm = Literal["baseline", "control", "candidate"]
ARMS: tuple[Arm, ...] = ("baseline", "control", "candidate")


class Schedule(Record):
    """How one scenario is cut into blocks; chosen from the pilot's times and then fixed.

    A sample is `group` operations timed together; a block is `block` samples of one arm; an invocation runs
    `rounds` rounds, and a round runs one block of each arm.
    """

    kind: Literal["schedule"] = "schedule"
    scenario: str
    group: int = Field(ge=1)
    block: int = Field(ge=1)
    rounds: int = Field(ge=1)


class ArmSamples(Record):
    """What one subject process gave in one invocation.

    `samples_ns`: one entry a sample, in order. `wall_ns`, `cpu_ns`: the parent's clock and the kernel's CPU
    clock of the process, one entry a block. `session_cpu_ns`: that clock from the end of the warm-up to the end of
    the invocation, pauses between blocks included. `outputs`: sha256 over all operations' canonical results.
    """

    cold_start_ns: int
    samples_ns: tuple[int, ...]
    wall_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    session_cpu_ns: int
    peak_rss_kib: int
    outputs: Sha256


class Invocation(Record):
    """One fresh set of subject processes; the unit of replication (Kalibera & Jones 2013, section 4).

    `elapsed_ns`: the scenario's time so far, this invocation included, by the parent's monotonic clock.
    `excluded`: why its samples do not count (pilot, interrupted, ...), or nothing.
    """

    kind: Literal["invocation"] = "invocation"
    scenario: str
    index: int = Field(ge=0)
    seed: int
    order: tuple[Arm, ...]
    started_at: str
    elapsed_ns: int
    arms: dict[Arm, ArmSamples]
    excluded: str | None = None


class SampleSet(Record):
    """All samples of one stage: `schedules` by scenario, invocations in the order they were measured."""

    schedules: tuple[Schedule, ...]
    invocations: tuple[Invocation, ...]


# ---- figures and verdict --------------------------------------------------------------------------------


class Estimate(Record):
    """A figure with its interval; `low`/`high` are None where n is too small for the confidence asked."""

    estimate: float
    low: float | None
    high: float | None


class Certified(Record):
    """The highest quantile (a share, at most 0.99) whose upper bound exists at this n, and that bound in ns."""

    quantile: float
    upper_bound_ns: float
    samples: int
    confidence: float


class ArmSummary(Record):
    """Figures of one arm in one scenario: latencies in ns per operation, throughput in operations/s."""

    p50_ns: Estimate
    p95_ns: Estimate
    p99_ns: Estimate
    throughput: Estimate
    peak_rss_kib: Estimate
    cold_start_ns: Estimate
    certified: Certified
    samples: int
    operations: int


class BaselineResult(Record):
    """The baseline alone: figures of its two copies and their A/A ratio, before the candidate is looked at."""

    scenario: str
    primary: bool
    invocations: int
    confidence: float
    control: Estimate
    arms: dict[Arm, ArmSummary]


class ScenarioResult(Record):
    """Speed-ups are baseline / candidate: above 1 the candidate is better, for every metric.

    `speedup` is that of the per-invocation median latency; `gains` holds p95, p99, throughput, peak_rss and
    cold_start in the same sense; `control` is the A/A ratio of the two copies of the baseline.
    """

    scenario: str
    primary: bool
    invocations: int
    confidence: float
    looks: int
    speedup: Estimate
    gains: dict[str, Estimate]
    control: Estimate
    resolvable_percent: float | None
    arms: dict[Arm, ArmSummary]


class Reason(Record):
    """Why a verdict is what it is: a stable code and a sentence."""

    code: str
    message: str


class GuardResult(Record):
    """`worst_percent`: the largest regression that the interval leaves open; None where n is too small."""

    metric: GuardMetric
    state: Literal["holds", "violated", "undecided"]
    max_regression_percent: float
    worst_percent: float | None


VerdictWord = Literal["adopt", "reject", "undecided"]
ClaimWord = Literal["met", "not-met", "undecided"]


class Verdict(Record):
    """The end of a run; `verdict.decide` makes it and the audit makes it again."""

    format: Literal["prfpipe/verdict/v1"] = "prfpipe/verdict/v1"
    run_id: RunId
    lever: str
    effort: Effort
    verdict: VerdictWord
    claim: ClaimWord
    reasons: tuple[Reason, ...]
    guards: tuple[GuardResult, ...]
    scenarios: tuple[ScenarioResult, ...]


# ---- proof ----------------------------------------------------------------------------------------------


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
    """One kind of known-bad output that the oracle was shown `tried` times; `caught`: each time.

    `detail` says where in which result it survived. A kind that applies to no result has `tried` 0.
    """

    mutant: str
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
    self_test: tuple[MutantResult, ...] = ()


# ---- profiles -------------------------------------------------------------------------------------------


class Hotspot(Record):
    """A function with its share (percent) of all samples: on top of the stack, and anywhere in it."""

    function: str
    file: str
    self_percent: float
    total_percent: float


class CpuProfile(Record):
    """Summary of one py-spy profile; `target_percent` is the inclusive share of the lever's targets."""

    samples: int
    errors: int
    unknown_percent: float
    hotspots: tuple[Hotspot, ...]
    targets: tuple[str, ...]
    target_percent: float
    amdahl_speedup: float | None


class AllocationSite(Record):
    """A function with what it allocated, in bytes and number of allocations."""

    function: str
    file: str
    bytes: int
    allocations: int


class AllocationProfile(Record):
    """Summary of one memray profile."""

    peak_bytes: int
    total_bytes: int
    allocations: int
    sites: tuple[AllocationSite, ...]


class ProfileRecord(Record):
    """Profiles of one variant on the primary scenario, in runs that are never timed.

    `operations` is how many operations the profiled runs made; `cpu` and `allocations` are None where that profiler
    was not asked for or cannot see into the subject (`notes` says which).
    """

    variant: Literal["baseline", "candidate"]
    operations: int
    cpu: CpuProfile | None
    allocations: AllocationProfile | None
    notes: tuple[str, ...] = ()


class Saving(Record):
    """Where time went away: a function's inclusive percent of the baseline's time, before and after."""

    function: str
    file: str
    before_percent: float
    after_percent: float
    saved_percent: float
    in_optimized_path: bool


class ProfileDiff(Record):
    """Differential explanation: both profiles scaled by time per operation (percent of the baseline's)."""

    after_total_percent: float
    saved_percent: float
    saved_in_targets_percent: float
    savings: tuple[Saving, ...]


# ---- implement ------------------------------------------------------------------------------------------


class TreeRecord(Record):
    """The candidate tree that is measured: its files, its digest and what differs from the baseline's."""

    files: dict[str, Sha256]
    digest: Sha256
    changed_files: tuple[str, ...]
    outside_path: tuple[str, ...]


# ---- bundle ---------------------------------------------------------------------------------------------


class FileDigest(Record):
    """A file of a bundle."""

    sha256: Sha256
    size: int = Field(ge=0)
