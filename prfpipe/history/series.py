"""From bundles in a store to a history for each lever and host."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from prfpipe import layout
from prfpipe.attest import read_statement
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.errors import BundleError, IntegrityError, NotFoundError
from prfpipe.history.changes import change_points
from prfpipe.history.retention import TOLERANCE_PERCENT, adopted, retention
from prfpipe.models import HistoryPoint, LeverHistory, Plan, Verdict
from prfpipe.store.base import Store
from prfpipe.store.bundles.refs import is_run_id, started
from prfpipe.store.evidence import BundleRef, get_statement, key, list_bundles

UNREADABLE = (BundleError, IntegrityError, NotFoundError)
"""What is wrong with one bundle, and not with the store."""
Series = dict[tuple[str, str], list[HistoryPoint]]
Tell = Callable[[str, int], None]
"""Called with the run that is read next and how many were read before it."""


class Histories(NamedTuple):
    """What a store says over time, by lever and host.

    `problems`: bundles that cannot be read, also of levers that have no other. What they held nobody knows.
    """

    found: tuple[LeverHistory, ...]
    problems: tuple[str, ...]


def histories(
    store: Store,
    lever: str | None = None,
    since: datetime | None = None,
    tolerance_percent: float = TOLERANCE_PERCENT,
    tell: Tell = lambda run_id, done: None,
) -> Histories:
    """The histories that a store holds.

    Each point is read from its bundle, against the digests in the bundle's statement; whether the statement itself is
    to be trusted is for `prfpipe audit --archive` to say. A bundle that cannot be read, or that compared nothing, is
    left out and named. `since`: only later runs, and the one that was adopted, of which something is left or not.

    Raises:
        StoreError: the store failed.
        InputError: Apache Otava is not installed.
    """
    series: Series = {}
    left_out: list[tuple[str, str]] = []
    problems: list[str] = []
    for done, ref in enumerate(list_bundles(store, lever)):
        tell(ref.run_id, done)
        try:
            name, point = read_point(store, ref)
        except UNREADABLE as error:
            problems.append(f"{ref.run_id}: {error.message}")
            left_out.append((ref.lever, problems[-1]))
        else:
            if point is None:
                left_out.append((ref.lever, f"{ref.run_id}: it compared nothing; its report says why"))
            else:
                series.setdefault((name, point.host), []).append(point)
    found = (
        LeverHistory(
            lever=name,
            host=host,
            points=tuple(shown),
            changes=change_points(shown),
            retention=retention(shown, tolerance_percent),
            left_out=tuple(words for lever_of, words in left_out if lever_of == name.lower()),
            ended=_ended(points),
        )
        for (name, host), points in sorted(series.items())
        if (shown := _shown(points, since))
    )
    return Histories(tuple(found), tuple(problems))


def read_point(store: Store, ref: BundleRef) -> tuple[str, HistoryPoint | None]:
    """The lever's id, and what one bundle says about it: None if it compared nothing.

    Raises:
        BundleError, IntegrityError, NotFoundError: the bundle is not what its statement says, or is another run's.
        StoreError: the store failed.
    """
    plan, verdict = read_run(store, ref)
    primary = next((item for item in verdict.scenarios if item.primary), None)
    if primary is None:
        return plan.lever.id, None
    return plan.lever.id, HistoryPoint(
        run_id=plan.run_id,
        host=plan.host.name,
        effort=plan.effort,
        verdict=verdict.verdict,
        claim=verdict.claim,
        scenario=primary.scenario,
        work=_work(plan),
        speedup=primary.speedup,
        control=primary.control,
        reprofiles=replayed_by(plan),
    )


def read_run(store: Store, ref: BundleRef) -> tuple[Plan, Verdict]:
    """Plan and verdict of one bundle.

    Raises:
        BundleError, IntegrityError, NotFoundError: the bundle is not what its statement says.
        StoreError: the store failed.
    """
    manifest = read_statement(get_statement(store, ref)).files
    wanted = {name: manifest[name] for name in (layout.PLAN, layout.VERDICT) if name in manifest}
    files = {name: store.get(key(ref, name), digest.sha256, max_bytes=digest.size) for name, digest in wanted.items()}
    plan, verdict = layout.read_plan(files), layout.read_verdict(files)
    if {plan.run_id, verdict.run_id} != {ref.run_id}:
        raise BundleError(f"it is the bundle of {plan.run_id}", hint="Somebody has copied it: prfpipe audit --archive.")
    return plan, verdict


def replayed_by(plan: Plan) -> str | None:
    """The run that a run measured again: its plan's command says `replay RUN_ID`, or `--reprofiles RUN_ID`."""
    words = plan.provenance.command
    marked = [after for word, after in pairwise(words) if word == "--reprofiles"]
    named = [*marked, *(words[2:] if words[1:2] == ("replay",) else ())]
    return next((word for word in named if is_run_id(word)), None)


def _work(plan: Plan) -> str:
    return sha256_hex(canonical_json([plan.lever.primary.params, plan.source_files.get(plan.lever.workload)]))


def _shown(points: Sequence[HistoryPoint], since: datetime | None) -> list[HistoryPoint]:
    """Only runs that measured what the newest has measured."""
    comparable = [point for point in points if point.compares_with(points[-1])]
    if since is None:
        return comparable
    if started(points[-1].run_id) < since:
        return []
    reference = adopted(comparable)
    return [point for point in comparable if point is reference or started(point.run_id) >= since]


def _ended(points: Sequence[HistoryPoint]) -> str:
    """Why an adoption can no longer be looked at; nothing where it can, or there is none."""
    reference, now = adopted(points), points[-1]
    if reference is None or reference.compares_with(now):
        return ""
    same_name = reference.scenario == now.scenario
    newer = "have other parameters or another workload" if same_name else f"are about {now.scenario}"
    return (
        f"{reference.run_id}: adopted on the scenario {reference.scenario}, newer runs {newer}: "
        "evaluate the lever again, to adopt it on that"
    )
