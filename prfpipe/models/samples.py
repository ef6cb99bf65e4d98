"""What was measured, as it was measured."""

from typing import Literal

from pydantic import Field

from prfpipe.models.base import Record, Sha256

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

    `samples_ns`: one entry a sample, in order. One entry a block: `wall_ns`, the parent's clock from handing over the
    operations to having their results, and `cpu_ns`, the kernel's CPU clock of the process while they are answered.
    `session_cpu_ns`: that of the process and all that it started, from the end of the warm-up to the end of the
    invocation, pauses between blocks included; `peak_rss_kib`: of them all, each with its own peak. `outputs`: sha256
    over all operations' canonical results.
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
