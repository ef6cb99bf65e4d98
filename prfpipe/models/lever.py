"""A `lever.yaml`, validated."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from prfpipe.models.base import Percent, Record


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


class LeverMutant(Record):
    """A plausible bug: a Python file that takes the candidate's place, and the case that must catch it.

    `caught_by`: the name of an edge case of the primary scenario, or of a conformance case.
    """

    name: str
    python: str
    caught_by: str = Field(min_length=1)


class LeverSpec(Record):
    """A `lever.yaml`, validated. Paths are relative to the lever folder.

    `must_hold`: scenarios that must each be shown to be slower by at most `non_inferiority_percent`, so that a gain
    on one deployment cannot hide a loss on another. They are measured at every effort, as long as the primary one.

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
    mutants: tuple[LeverMutant, ...] = ()
    must_hold: Literal["all"] | tuple[str, ...] = ()
    non_inferiority_percent: Percent = 1.0

    @property
    def primary(self) -> Scenario:
        """The scenario that the verdict is about."""
        return next(scenario for scenario in self.scenarios if scenario.primary)

    @property
    def strata(self) -> tuple[str, ...]:
        """The names in `must_hold`, in the order of the scenarios."""
        names = [scenario.name for scenario in self.scenarios]
        return tuple(names if self.must_hold == "all" else (name for name in names if name in self.must_hold))
