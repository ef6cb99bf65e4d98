"""Fewer points for a picture that looks the same: plots stay small however many samples there are."""

from collections.abc import Sequence

MAX_CURVE = 240
MAX_DOTS = 40


def quantile_of(ordered: Sequence[float], share: float) -> float:
    """Nearest-rank quantile of sorted values."""
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def curve_ranks(count: int, limit: int = MAX_CURVE) -> list[int]:
    """Ranks (from 0) of `count` sorted values to draw: even ones, and close ones towards both ends."""
    if count <= limit:
        return list(range(count))
    even = {round(index * (count - 1) / (limit // 2 - 1)) for index in range(limit // 2)}
    steps = limit // 4
    ends = {int((count / 2) ** (index / (steps - 1))) for index in range(steps)}
    return sorted(even | {end - 1 for end in ends} | {count - end for end in ends})


def thin(values: Sequence[float], limit: int = MAX_DOTS) -> list[float]:
    """At most `limit` of the values, evenly spaced in time, the first and the last among them."""
    if len(values) <= limit:
        return list(values)
    return [values[round(index * (len(values) - 1) / (limit - 1))] for index in range(limit)]


def jitter(index: int) -> float:
    """A repeatable offset in [-0.5, 0.5) that keeps neighbours apart (golden ratio sequence)."""
    return (index * 0.618033988749895) % 1.0 - 0.5
