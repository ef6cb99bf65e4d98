"""When a bundle's measurements were made, and whether those of several bundles overlap."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, groupby
from pathlib import Path

from prfpipe import layout
from prfpipe.models import Invocation
from prfpipe.samples import read_samples


@dataclass(frozen=True, order=True)
class Window:
    """One measured invocation of a run: UTC nanoseconds, the end not earlier than it was."""

    start_ns: int
    end_ns: int
    run_id: str

    def overlaps(self, other: "Window") -> bool:
        return self.start_ns < other.end_ns and other.start_ns < self.end_ns


def windows(bundle: Path) -> list[Window]:
    """All windows in which the run of this bundle (or run folder) measured, in order."""
    found = [
        window
        for stage, name in layout.SAMPLES.items()
        if (bundle / name).is_file()
        for _, run in groupby(
            read_samples((bundle / name).read_bytes(), name, stage).invocations, key=lambda item: item.scenario
        )
        for window in _of_scenario(list(run), bundle.name)
    ]
    return sorted(found)


def _of_scenario(invocations: Sequence[Invocation], run_id: str) -> Iterable[Window]:
    """`elapsed_ns` counts from just before the first start: added to it, it gives the latest end that is possible.

    After a resumption it counts from anew; the invocation that restarts the count begins a new series.
    """
    first, before = 0, 0
    for item in invocations:
        start = round(datetime.fromisoformat(item.started_at).timestamp() * 1000) * 1_000_000
        if item.elapsed_ns <= before or not first:
            first = start
        before = item.elapsed_ns
        yield Window(start, first + item.elapsed_ns, run_id)


def overlaps(bundles: Iterable[Path]) -> list[tuple[Window, Window]]:
    """Windows of two different bundles at the same time: none if they were measured on one host."""
    everything = [windows(bundle) for bundle in bundles]
    return [(a, b) for one, other in combinations(everything, 2) for a in one for b in other if a.overlaps(b)]


def parallel_ns(hosts: Mapping[str, Iterable[Path]]) -> int:
    """For how long two or more hosts were at work at once, from each run's first window to its last, in ns."""
    edges: list[tuple[int, int]] = []
    for bundles in hosts.values():
        for found in filter(None, map(windows, bundles)):
            edges += [(found[0].start_ns, 1), (max(window.end_ns for window in found), -1)]
    at_work, total, last = 0, 0, 0
    for time_ns, change in sorted(edges):
        total += (time_ns - last) * (at_work >= 2)
        at_work, last = at_work + change, time_ns
    return total
