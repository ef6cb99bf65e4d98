"""Series of runs as an archive would give them, without an archive."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from prfpipe.models import Effort, Estimate, HistoryPoint

_FIRST = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)


def run_id(night: int) -> str:
    return f"{_FIRST + timedelta(days=night):%Y%m%dT%H%M%SZ}-lev-01-{night:08x}"


def estimate(ratio: float, half_width: float = 0.05) -> Estimate:
    return Estimate(estimate=ratio, low=ratio * (1 - half_width), high=ratio * (1 + half_width))


def point(night: int, ratio: float, **changes: object) -> HistoryPoint:
    values = {
        "run_id": run_id(night),
        "host": "bench-1",
        "effort": Effort.QUICK,
        "verdict": "adopt",
        "claim": "met",
        "scenario": "incremental-1000",
        "work": "1" * 64,
        "speedup": estimate(ratio),
        "control": Estimate(estimate=1.0, low=0.99, high=1.01),
        "reprofiles": None if night == 0 else run_id(0),
    }
    return HistoryPoint.model_validate({**values, **changes})


def nights(ratios: Iterable[float]) -> list[HistoryPoint]:
    """The first is the adopted evaluation, the others re-profile it."""
    return [point(night, ratio) for night, ratio in enumerate(ratios)]


def wobble(levels: Sequence[float], percent: float = 2) -> list[float]:
    """The levels with a repeatable noise of about `percent`."""
    return [level * (1 + percent / 100 * ((index * 7919 % 101) / 50 - 1)) for index, level in enumerate(levels)]
