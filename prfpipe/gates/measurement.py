"""What a gate's measuring is to the rest of the room.

Each of `cold_start`, `churn`, `overhead` and `diff` has `open_measurement(context) -> Measurement`; the table in
`run.MEASURES` finds it by the gate's id. PRF-01, -02 and -04 give a `Sampled`, PRF-03 a `Paired`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from prfpipe.gates.spec import Gate
from prfpipe.models import (
    BudgetInForce,
    DeploymentProfile,
    Effort,
    GateTable,
    HostFingerprint,
    NoiseProbe,
    ScenarioResult,
    StratumResult,
)
from prfpipe.progress import Progress
from prfpipe.settings import Settings


@dataclass(frozen=True)
class GateOptions:
    """How a gate was asked for.

    `samples`: never more than so many of each subject (None: as many as the effort allows). `seconds`: PRF-03 may
    measure a hot path for so long (None: as long as the effort allows). `command`: the program
    that PRF-01 is to gate in place of its own subject, `ready` what its readiness line contains. `words`: the command
    line that reproduces this.
    """

    effort: Effort = Effort.STANDARD
    samples: int | None = None
    seconds: float | None = None
    command: tuple[str, ...] = ()
    ready: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class GateContext:
    """One run of a gate. `scratch` is an empty folder that is removed afterwards; `budgets` are those in force.

    The host is held already, and this process keeps off `host.measuring_cpu`: pin what is measured to it.
    """

    gate: Gate
    profile: DeploymentProfile
    options: GateOptions
    settings: Settings
    progress: Progress
    scratch: Path
    budgets: Mapping[str, BudgetInForce]
    host: HostFingerprint
    noise: NoiseProbe


@dataclass(frozen=True)
class Moment:
    """One event of a time line: when it was to start (ns from the first), how long it took from then, what it was.

    `kind`: one word that gives the colour, such as `add`, `remove`, `static`. `judged`: whether the budget is about it.
    """

    at_ns: int
    latency_ns: int
    kind: str
    subject: str
    judged: bool = True


@dataclass(frozen=True)
class Overhead:
    """A hot path with instrumentation on (candidate) against off (baseline), as the loop's rules see it.

    `stratum`: from `limits.stratum_result` at this path's budget. `doubts`: why the figures cannot be relied on (the
    A/A control differs, timed outputs differ); any makes the check undecided.
    """

    stratum: StratumResult
    result: ScenarioResult
    doubts: tuple[str, ...] = ()


class Measurement:
    """A gate's measuring while it is open: a context manager. What has a body here is optional."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process that was started; calling it again does nothing."""

    def also(self) -> Mapping[str, Sequence[int]]:
        """Series that are recorded and shown and never judged, in ns by name, such as `static/dispatch`, `cpu`."""
        return {}

    def phases(self) -> Mapping[str, Mapping[str, Sequence[int]]]:
        """For each subject the ns of its phases, in order; a sample's phases add up to at most the sample."""
        return {}

    def timeline(self) -> Sequence[Moment]:
        """What happened when, for the picture with the spikes."""
        return ()

    def tables(self) -> Sequence[GateTable]:
        """Tables of the gate's own: costs by instrument, one-off costs, ratios to static."""
        return ()

    def notes(self) -> Sequence[str]:
        """Sentences for the reader of the report."""
        return ()

    def profile(self, subject: str, folder: Path) -> bytes | None:
        """Folded stacks of the path of a failing subject, from runs that are never timed; None: cannot be profiled.

        `folder`: an empty folder for raw files.

        Raises:
            ProfilerError, SubjectError: told in the report's notes; the gate's answer stands without a profile.
        """
        return None


class Sampled(Measurement, ABC):
    """Latencies by subject (PRF-01, -02, -04), taken until each is decided."""

    @abstractmethod
    def take(self, count: int, subjects: Collection[str]) -> None:
        """Take `count` more samples of each of `subjects` at least; of others it may.

        `subjects` are those of the budgets (out of scope ones included) that are not decided yet. Fewer samples than
        asked leave the subject undecided; none at all is an error of the gate.

        Raises:
            SubjectError: the subject is missing or failed.
        """

    @abstractmethod
    def samples(self) -> Mapping[str, Sequence[int]]:
        """All samples so far in ns, by subject, in the order they were taken; positive integers.

        The subjects must be exactly those of the budgets and `out_of_scope`.
        """


class Paired(Measurement, ABC):
    """Overheads by hot path (PRF-03), measured and decided with the loop's own rules."""

    @abstractmethod
    def overheads(self) -> Mapping[str, Overhead]:
        """Measure, and give each hot path's overhead; the paths must be those of the budgets and `out_of_scope`.

        Raises:
            SubjectError: a subject is missing or failed.
        """
