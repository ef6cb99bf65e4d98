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
    if reference is None or reference is now or reference.scenario != now.scenario:
        return None
    share = ratio_of(reference.speedup, now.speedup)
    limit = 1 - tolerance_percent / 100
    state = "undecided"
    if share.high is not None and share.high < limit:
        state = "rotted"
    elif share.low is not None and share.low >= limit:
        state = "kept"
    return Retention.model_validate(
        {"state": state, "adopted": reference.run_id, "share": share, "tolerance_percent": tolerance_percent}
    )
