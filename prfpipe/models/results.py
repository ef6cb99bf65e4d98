"""Figures and verdict."""

from typing import Literal

from pydantic import Field

from prfpipe.models.base import Record, RunId
from prfpipe.models.lever import Effort, GuardMetric
from prfpipe.models.samples import Arm


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
    cold_start in the same sense; `control` is the A/A ratio of the two copies of the baseline. `must_hold`: it is a
    stratum; left out of the bytes where it is not, so that they are those of levers from before there were strata.
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
    must_hold: bool = Field(default=False, exclude_if=lambda value: not value)


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


class StratumResult(Record):
    """A scenario that must hold. `worst_percent`: how much slower it may be at most, by its interval, if it has one."""

    scenario: str
    state: Literal["holds", "violated", "undecided"]
    margin_percent: float
    worst_percent: float | None


VerdictWord = Literal["adopt", "reject", "undecided"]
ClaimWord = Literal["met", "not-met", "undecided"]


class Verdict(Record):
    """The end of a run; `verdict.decide` makes it and the audit makes it again.

    `strata`: in the order of the plan's scenarios; left out of the bytes of a lever that has none.
    """

    format: Literal["prfpipe/verdict/v1"] = "prfpipe/verdict/v1"
    run_id: RunId
    lever: str
    effort: Effort
    verdict: VerdictWord
    claim: ClaimWord
    reasons: tuple[Reason, ...]
    guards: tuple[GuardResult, ...]
    scenarios: tuple[ScenarioResult, ...]
    strata: tuple[StratumResult, ...] = Field(default=(), exclude_if=lambda value: not value)
