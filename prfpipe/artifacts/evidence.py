"""All that a report is made of. What a run did not reach is None or empty, and the report says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from prfpipe import figures
from prfpipe.models import (
    Arm,
    BaselineResult,
    Invocation,
    Plan,
    ProfileDiff,
    ProfileRecord,
    ProofRecord,
    SampleSet,
    TreeRecord,
    Verdict,
)
from prfpipe.stats import quantile

NO_SAMPLES = SampleSet(schedules=(), invocations=())


@dataclass(frozen=True)
class Evidence:
    """Records of one run.

    `verdict_sha256` is that of the bytes of verdict.json. `flamegraphs` maps `baseline`, `candidate` and
    `diff` to SVG bytes, `patch` is the text of implement/change.patch.
    """

    plan: Plan
    verdict: Verdict
    verdict_sha256: str
    baseline: tuple[BaselineResult, ...] = ()
    samples: SampleSet = NO_SAMPLES
    prove: ProofRecord | None = None
    verify: ProofRecord | None = None
    profiles: tuple[ProfileRecord, ...] = ()
    diff: ProfileDiff | None = None
    flamegraphs: Mapping[str, bytes] = field(default_factory=dict)
    tree: TreeRecord | None = None
    patch: bytes = b""

    def profile(self, variant: str) -> ProfileRecord | None:
        """The profiles of one variant."""
        return next((item for item in self.profiles if item.variant == variant), None)


@dataclass(frozen=True)
class ScenarioSamples:
    """Samples of one scenario that count, as nanoseconds per operation."""

    scenario: str
    group: int
    invocations: tuple[Invocation, ...]

    def latencies(self, arm: Arm) -> list[float]:
        """All samples of an arm, sorted."""
        return sorted(
            sample / self.group for item in self.invocations if arm in item.arms for sample in item.arms[arm].samples_ns
        )

    def medians(self, arm: Arm) -> list[float]:
        """The median of each invocation, in the order they were measured."""
        return [
            quantile(item.arms[arm].samples_ns, Fraction(1, 2)) / self.group
            for item in self.invocations
            if arm in item.arms
        ]

    def ratios(self, arm: Arm) -> list[float]:
        """Baseline / arm of each invocation's median."""
        return [base / other for base, other in zip(self.medians("baseline"), self.medians(arm), strict=False)]


def scenario_samples(samples: SampleSet, scenario: str) -> ScenarioSamples | None:
    """The samples of a scenario; None when none of its invocations counts."""
    group = next((item.group for item in samples.schedules if item.scenario == scenario), 1)
    counted = tuple(item for item in figures.counted(samples, scenario) if item.arms)
    return ScenarioSamples(scenario, group, counted) if counted else None
