"""Where the level of a series changes: E-divisive with t-tests over windows, as Apache Otava does it.

Method: Fleming et al., "Hunter: Using Change Point Detection to Hunt for Performance Regressions" (ICPE 2023,
doi:10.1145/3578244.3583719), on speed-up ratios. Both variants of a night share the machine's state, so a slower
host, kernel or clock moves their times and not their ratio.

docs/nightly-calibration.md has how soon planted changes are found with these parameters, and how often there is a false
alarm.
"""

from collections.abc import Sequence
from statistics import median

from prfpipe.errors import InputError
from prfpipe.models import ChangePoint, HistoryPoint

WINDOW = 50
MAX_P_VALUE = 0.0001
MIN_CHANGE = 0.02
SETTLED = 3
"""Runs that a new level must have lasted for."""
_FEWEST = 4
_SAME_PLACE = 3


def change_points(points: Sequence[HistoryPoint]) -> tuple[ChangePoint, ...]:
    """The changes of level in a series, oldest first.

    Levels are medians of the stretches between changes. A change counts if they differ by `MIN_CHANGE` and the new
    one has lasted for `SETTLED` runs: what one bad night does to a mean is no change of level.

    Raises:
        InputError: Apache Otava is not installed.
    """
    ratios = [point.speedup.estimate for point in points]
    found = _candidates(ratios)
    ends = [0, *(index for index, _ in found), len(ratios)]
    changes = []
    for (index, p_value), first, end in zip(found, ends, ends[2:], strict=False):
        before, after = median(ratios[first:index]), median(ratios[index:end])
        if end - index >= SETTLED and abs(after / before - 1) >= MIN_CHANGE:
            changes.append(_change(points[index].run_id, index, before, after, p_value))
    return tuple(changes)


def _change(run_id: str, index: int, before: float, after: float, p_value: float) -> ChangePoint:
    return ChangePoint(
        run_id=run_id,
        index=index,
        before=before,
        after=after,
        change_percent=100 * (after / before - 1),
        p_value=p_value,
    )


def _candidates(ratios: Sequence[float]) -> list[tuple[int, float]]:
    """Where Otava sees a change, and its p-value. Raises `InputError`; see `change_points`."""
    if len(ratios) < _FEWEST:
        return []
    try:
        from otava.analysis import compute_change_points
    except ImportError as error:
        raise InputError(
            "finding change points needs Apache Otava, which is not installed",
            hint="pip install 'prfpipe[nightly]'",
        ) from error
    found, _ = compute_change_points(list(ratios), window_len=WINDOW, max_pvalue=MAX_P_VALUE, min_magnitude=MIN_CHANGE)
    return [(int(item.index), float(item.stats.pvalue)) for item in found]


def new_losses(points: Sequence[HistoryPoint]) -> tuple[ChangePoint, ...]:
    """Losses that the last run of a series brought to light: what to tell a person today, and only today.

    A loss is known already if the series had one at most a few runs away when it was last told of: its place moves a
    little as runs are added.
    """
    known = [change.index for change in change_points(points[: _told(points)]) if change.change_percent < 0]
    return tuple(
        change
        for change in change_points(points)
        if change.change_percent < 0 and all(abs(change.index - index) > _SAME_PLACE for index in known)
    )


def _told(points: Sequence[HistoryPoint]) -> int:
    """How many runs the series had when whoever hears of its last run heard of it before.

    Only nights are told of, so what an evaluation between them has brought to light is still news. (What re-profiles a
    run is taken for a night, a replay too.) And what a quick night has found is news once more with the rigorous run
    that confirms it: some hear of nothing else.
    """
    nights = [(count, point) for count, point in enumerate(points[:-1], start=1) if point.reprofiles is not None]
    heard = [count for count, point in nights if point.effort.rank >= points[-1].effort.rank]
    if heard:
        return heard[-1]
    return nights[0][0] - 1 if nights else len(points) - 1
