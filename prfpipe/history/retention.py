"""How much of an adopted gain is left."""

from collections.abc import Sequence

from prfpipe.models import HistoryPoint, Retention
from prfpipe.replay import ratio_of

TOLERANCE_PERCENT = 20.0
"""A gain has rotted when certainly more than this share of it is gone. Slower rot is for `changes` to find."""


def adopted(points: Sequence[HistoryPoint]) -> HistoryPoint | None:
    """The evidence on which the lever was adopted: the newest decided evaluation that re-profiles no other run.

    A re-profiling never becomes the new measure: else a gain could rot away a little every night, unseen.
    """
    decided = [point for point in points if point.reprofiles is None and point.verdict != "undecided"]
    return decided[-1] if decided and decided[-1].verdict == "adopt" else None


def retention(points: Sequence[HistoryPoint], tolerance_percent: float = TOLERANCE_PERCENT) -> Retention | None:
    """What the last run of a series says about the gain that was adopted; None without one, or if it is that run.

    The interval is that of the two runs' intervals at their worst (Bonferroni): it errs no more often than both.
    """
    reference, now = adopted(points), points[-1]
    if reference is None or reference is now or not reference.compares_with(now):
        return None
    share = ratio_of(reference.speedup, now.speedup)
    limit = 1 - tolerance_percent / 100
    then_low, then_high = reference.speedup.low, reference.speedup.high
    state = "undecided"
    if _below(share.high, limit) or _below(now.speedup.high, _with_share(then_low, limit)):
        state = "rotted"
    elif _reaches(share.low, limit) and _reaches(now.speedup.low, _with_share(then_high, limit)):
        state = "kept"
    return Retention.model_validate(
        {"state": state, "adopted": reference.run_id, "share": share, "tolerance_percent": tolerance_percent}
    )


def _with_share(speedup: float | None, share: float) -> float | None:
    """The speed-up that has this share of the gain left; the gain is what it is above 1."""
    return None if speedup is None else 1 + share * (speedup - 1)


def _below(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value < limit


def _reaches(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value >= limit
