"""The plan: everything that is fixed before the first measurement."""

from typing import Literal

from prfpipe.models.base import Percent, Record, RunId, Sha256
from prfpipe.models.lever import Effort, Guard, LeverSpec, Work


class HostFingerprint(Record):
    """The machine that measures; nothing here may hold a secret (allow-listed fields only).

    `work`: the file system of the working folders, `memory` or `disk`. `landlock`: the version of the kernel's means to
    confine subjects to their folders (landlock(7)), 0 where it has none or it was not wanted.
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
    landlock: int = 0


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
    `alpha` that each of these looks adds to what may have been spent by then. `must_hold`: the strata, each of which
    may be slower by at most `non_inferiority_percent`.
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
    must_hold: tuple[str, ...] = ()
    non_inferiority_percent: Percent = 1.0


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

    @property
    def sequential(self) -> tuple[str, ...]:
        """The scenarios that are measured until their own question is decided: the primary one and the strata."""
        primary = self.lever.primary.name
        return (primary, *(name for name in self.rule.must_hold if name != primary))
