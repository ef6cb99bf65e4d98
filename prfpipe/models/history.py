"""What the archive says about a lever over time."""

from typing import Literal

from pydantic import Field

from prfpipe.models.base import Record, RunId, Sha256
from prfpipe.models.lever import Effort
from prfpipe.models.results import ClaimWord, Estimate, VerdictWord


class HistoryPoint(Record):
    """One archived run of a lever on a host: the speed-up of its primary scenario, baseline / candidate.

    `control` is the A/A ratio of the same session. `reprofiles`: the run whose gain was looked at again, if any.
    `work`: digest of what was measured, the scenario's parameters and the workload's file.
    """

    run_id: RunId
    host: str
    effort: Effort
    verdict: VerdictWord
    claim: ClaimWord
    scenario: str
    work: Sha256
    speedup: Estimate
    control: Estimate
    reprofiles: RunId | None = None

    def compares_with(self, other: "HistoryPoint") -> bool:
        """Whether both measured the same work; speed-ups on different work say nothing about each other."""
        return (self.scenario, self.work) == (other.scenario, other.work)


class ChangePoint(Record):
    """Where the level of a series changes: `run_id` is the first run at the new level.

    `before` and `after` are median speed-ups of the stretches on both sides; `change_percent` is negative where gain
    was lost; `p_value` is that of the t-test between the stretches.
    """

    run_id: RunId
    index: int = Field(ge=1)
    before: float
    after: float
    change_percent: float
    p_value: float


class Retention(Record):
    """How much of an adopted gain is left: speed-up now / speed-up then, with an interval.

    `rotted`: even the upper bound has lost more than the tolerance; `kept`: even the lower bound has not.
    """

    state: Literal["kept", "rotted", "undecided"]
    adopted: RunId
    share: Estimate
    tolerance_percent: float


class LeverHistory(Record):
    """A lever on one host, oldest run first. `retention` is that of the last run; None without an adopted one.

    `ended`: why the adopted run is no longer comparable, where it is not.
    """

    lever: str
    host: str
    points: tuple[HistoryPoint, ...] = Field(min_length=1)
    changes: tuple[ChangePoint, ...]
    retention: Retention | None
    left_out: tuple[str, ...] = ()
    ended: str = ""
