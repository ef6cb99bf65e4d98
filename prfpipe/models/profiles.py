"""Profiles of the two variants, and what explains the saving."""

from typing import Literal

from prfpipe.models.base import Record


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
