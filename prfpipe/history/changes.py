"""Where the level of a series changes: E-divisive with t-tests over windows, as Apache Otava does it.

Method: Fleming et al., "Hunter: Using Change Point Detection to Hunt for Performance Regressions" (ICPE 2023,
doi:10.1145/3578244.3583719), on speed-up ratios. Both variants of a night share the machine's state, so a slower
host, kernel or clock moves their times and not their ratio.

docs/nightly.md has how soon planted changes are found with these parameters, and how often there is a false alarm.
"""

from collections.abc import Sequence

from prfpipe.errors import InputError
from prfpipe.models import ChangePoint, HistoryPoint

WINDOW = 50
MAX_P_VALUE = 0.0001
MIN_CHANGE = 0.02
SETTLED = 3
"""Runs at the new level before it counts as one: a single bad night is no change of level."""
_FEWEST = 4
_SAME_PLACE = 3


def change_points(points: Sequence[HistoryPoint]) -> tuple[ChangePoint, ...]:
    """The changes of level in a series, oldest first, the last of them with `SETTLED` runs behind it at least.

    Raises:
        InputError: Apache Otava is not installed.
    """
    found = levels([point.speedup.estimate for point in points])
    return tuple(
        ChangePoint(
            run_id=points[index].run_id,
            index=index,
            before=before,
            after=after,
            change_percent=100 * (after / before - 1),
            p_value=p_value,
        )
        for index, before, after, p_value in found
        if index <= len(points) - SETTLED
    )


def levels(ratios: Sequence[float]) -> list[tuple[int, float, float, float]]:
    """Index, mean before, mean after and p-value of each change of level. Raises `InputError`; see `change_points`."""
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
    return [
        (int(item.index), float(item.stats.mean_1), float(item.stats.mean_2), float(item.stats.pvalue))
        for item in found
    ]


def new_losses(points: Sequence[HistoryPoint]) -> tuple[ChangePoint, ...]:
    """Losses that the last run of a series brought to light: what to tell a person today, and only today.

    A change is known already if the series without its last run has one at most a few runs away: its place
    moves a little as runs are added.
    """
    known = [change.index for change in change_points(points[:-1])]
    return tuple(
        change
        for change in change_points(points)
        if change.change_percent < 0 and all(abs(change.index - index) > _SAME_PLACE for index in known)
    )
