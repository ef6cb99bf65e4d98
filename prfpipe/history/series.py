"""From bundles in a store to a history for each lever and host."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import pairwise

from prfpipe import layout
from prfpipe.attest import read_statement
from prfpipe.errors import BundleError, IntegrityError, NotFoundError
from prfpipe.history.changes import change_points
from prfpipe.history.retention import TOLERANCE_PERCENT, retention
from prfpipe.models import HistoryPoint, LeverHistory, Plan, Verdict
from prfpipe.store.base import Store
from prfpipe.store.bundles.refs import is_run_id
from prfpipe.store.evidence import BundleRef, get_statement, key, list_bundles

UNREADABLE = (BundleError, IntegrityError, NotFoundError)
"""What is wrong with one bundle, and not with the store."""
Series = dict[tuple[str, str], list[HistoryPoint]]
Tell = Callable[[str, int], None]
"""Called with the run that is read next and how many were read before it."""


def histories(
    store: Store,
    lever: str | None = None,
    since: datetime | None = None,
    tolerance_percent: float = TOLERANCE_PERCENT,
    tell: Tell = lambda run_id, done: None,
) -> tuple[LeverHistory, ...]:
    """The histories that a store holds, by lever and host.

    Each point is read from its bundle, against the digests in the bundle's statement; whether the statement
    itself is to be trusted is for `prfpipe audit --archive` to say. A bundle that cannot be read, or that compared
    nothing, is left out and named.

    Raises:
        StoreError: the store failed.
        InputError: Apache Otava is not installed.
    """
    series: Series = {}
    left_out: list[tuple[str, str]] = []
    for done, ref in enumerate(list_bundles(store, lever, since)):
        tell(ref.run_id, done)
        try:
            name, point = read_point(store, ref)
        except UNREADABLE as error:
            left_out.append((ref.lever, f"{ref.run_id}: {error.message}"))
        else:
            series.setdefault((name, point.host), []).append(point)
    return tuple(_history(of, points, left_out, tolerance_percent) for of, points in sorted(series.items()))


def read_point(store: Store, ref: BundleRef) -> tuple[str, HistoryPoint]:
    """The lever's id, and what one bundle says about it.

    Raises:
        BundleError, IntegrityError, NotFoundError: the bundle is not what its statement says, or compared nothing.
        StoreError: the store failed.
    """
    plan, verdict = read_run(store, ref)
    primary = next((item for item in verdict.scenarios if item.primary), None)
    if primary is None:
        raise BundleError("it compared nothing", hint="Its report says why.")
    return plan.lever.id, HistoryPoint(
        run_id=plan.run_id,
        host=plan.host.name,
        effort=plan.effort,
        verdict=verdict.verdict,
        claim=verdict.claim,
        scenario=primary.scenario,
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
    return layout.read_plan(files), layout.read_verdict(files)


def replayed_by(plan: Plan) -> str | None:
    """The run that a run measured again: its plan's command says `replay RUN_ID`, or `--reprofiles RUN_ID`."""
    words = plan.provenance.command
    marked = [after for word, after in pairwise(words) if word == "--reprofiles"]
    named = [*marked, *(words[2:] if words[1:2] == ("replay",) else ())]
    return next((word for word in named if is_run_id(word)), None)


def _history(
    of: tuple[str, str], found: Iterable[HistoryPoint], left_out: Iterable[tuple[str, str]], tolerance: float
) -> LeverHistory:
    """Of runs on another primary scenario than the newest has only the newest's are comparable."""
    lever, host = of
    points = list(found)
    points = [point for point in points if point.scenario == points[-1].scenario]
    return LeverHistory(
        lever=lever,
        host=host,
        points=tuple(points),
        changes=change_points(points),
        retention=retention(points, tolerance),
        left_out=tuple(words for name, words in left_out if name == lever.lower()),
    )
