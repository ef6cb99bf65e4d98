"""Whole bundles: the first one, and others that must be accepted."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from prfpipe import layout
from prfpipe.bundle import read_tree
from prfpipe.digests import sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.models import Arm, Guard, Invocation, Plan
from prfpipe.stopping import is_enough
from tests.golden.bundles.forge import Files
from tests.support import bundles, records

GUARDS = tuple(
    Guard(metric=metric, max_regression_percent=limit)
    for metric, limit in (("p99", 5.0), ("peak_rss", 25.0), ("cold_start", 30.0), ("throughput", 5.0))
)
FIRST = bundles.Place()
LATER = "20261124T081500Z-lev-01-00000001"

Recipe = Callable[[Files], Files]
Edit = Callable[[Invocation], Invocation]


def plan(**changes: Any) -> Plan:
    return bundles.plan(**{"lever": records.lever(bundles.SPEEDUPS, guards=GUARDS), **changes})


def built(the_plan: Plan, edit: Edit = lambda item: item, place: bundles.Place = FIRST) -> Files:
    """A whole bundle, as a run makes it; `edit` changes each invocation of the comparison before it counts."""
    parts = replace(bundles.Parts.of(the_plan), reprofile=tuple(_measured(the_plan, edit)))
    with tempfile.TemporaryDirectory() as folder:
        return read_tree(bundles.build(Path(folder), parts, place=place))


def _measured(the_plan: Plan, edit: Edit) -> Iterator[Invocation]:
    for schedule in bundles.schedules(the_plan):
        done: list[Invocation] = []
        while not is_enough(the_plan, Stage.REPROFILE, schedule, done):
            arms = ("baseline", "control", "candidate")
            done.append(edit(bundles.invocation(the_plan, Stage.REPROFILE, schedule.scenario, len(done), arms)))
            yield done[-1]


def candidate_like(of: Arm, factor: float = 1.0) -> Edit:
    """The candidate measured as if it were another arm, `factor` times as slow."""

    def edit(item: Invocation) -> Invocation:
        source = item.arms[of]
        clocks = ("samples_ns", "wall_ns", "cpu_ns")
        times = {clock: tuple(int(value * factor) for value in getattr(source, clock)) for clock in clocks}
        made = source.model_copy(update={**times, "session_cpu_ns": int(source.session_cpu_ns * factor)})
        return item.model_copy(update={"arms": {**item.arms, "candidate": made}})

    return edit


def base() -> Files:
    """An adopted lever with guards."""
    return built(plan())


def _rejected(_: Files) -> Files:
    return built(plan(), candidate_like("baseline", 1.3))


def _undecided(_: Files) -> Files:
    """The A/A control is significant."""

    def biased(item: Invocation) -> Invocation:
        slower = candidate_like("control", 1.05)(item).arms["candidate"]
        return item.model_copy(update={"arms": {**item.arms, "control": slower}})

    return built(plan(), biased)


def _strata(_: Files) -> Files:
    return built(plan(lever=records.lever(bundles.SPEEDUPS, guards=GUARDS, must_hold="all")))


def second(first: Files) -> Files:
    previous = sha256_hex(first[layout.STATEMENT])
    return built(plan(run_id=LATER, seed=7), place=bundles.Place(sequence=2, previous=previous))


GOOD: dict[str, tuple[str, Recipe]] = {
    "good-adopted": ("adopt", dict),
    "good-rejected": ("reject", _rejected),
    "good-undecided": ("undecided", _undecided),
    "good-strata": ("adopt", _strata),
    "good-second-of-chain": ("adopt", second),
}
