"""`prfpipe bundles`."""

import argparse
from collections.abc import Iterator
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple

from prfpipe.cli.output import Listing, say_failure
from prfpipe.cli.stores import day, store_of
from prfpipe.errors import SettingsError, StoreError
from prfpipe.settings import load_settings
from prfpipe.store.base import Store
from prfpipe.store.evidence import BundleRef, list_bundles, start_of
from prfpipe.store.local import is_noted, sealed_runs

ARCHIVED, UNARCHIVED = "archived", "unarchived"


class Row(NamedTuple):
    """A bundle in the store, or a finished run of this machine that is not there."""

    run_id: str
    state: str
    ref: BundleRef
    place: str


def command(arguments: argparse.Namespace) -> int:
    """List the bundles as the store pages, with the finished runs of this machine that it does not have."""
    if arguments.limit is not None and arguments.limit < 1:
        raise SettingsError(f"--limit {arguments.limit} is not a number of bundles", hint="Give 1 or more.")
    store, out = store_of(arguments), Listing(arguments.json)
    try:
        last, more = _print(out, _rows(arguments, store), arguments.limit)
    except StoreError as error:
        return _without_the_store(arguments, store, out, error)
    if last is None:
        out.close(f"no bundles in {store.url()}")
    else:
        out.close(f"more: --after {last}" if more else "")
    return 0


def _print(out: Listing, rows: Iterator[Row], limit: int | None) -> tuple[str | None, bool]:
    """Print at most `limit` rows; returns the last run id, and whether there are more."""
    last = None
    for row in islice(rows, limit):
        out.add(_document(row), ("" if last else _HEADER) + _line(row))
        last = row.run_id
    return last, limit is not None and next(rows, None) is not None


def _rows(arguments: argparse.Namespace, store: Store) -> Iterator[Row]:
    """Store and machine, both in the order of run ids; where both have a run, it is archived."""
    since = day(arguments.since) if arguments.since else None
    after = arguments.after or ""
    stored = (Row(ref.run_id, ARCHIVED, ref, ref.url) for ref in list_bundles(store, arguments.lever, since, after))
    both = merge(stored, _local(arguments, store), key=attrgetter("run_id"))
    for _, rows in groupby(both, key=attrgetter("run_id")):
        yield min(rows, key=attrgetter("state"))


def _local(arguments: argparse.Namespace, store: Store, *, without_noted: bool = False) -> Iterator[Row]:
    start = start_of(day(arguments.since) if arguments.since else None, arguments.after or "")
    for run in sealed_runs(load_settings().runs, store, start=start):
        of_lever = arguments.lever is None or run.ref.lever == arguments.lever.lower()
        if of_lever and not (without_noted and is_noted(run, store)):
            yield Row(run.ref.run_id, UNARCHIVED, run.ref, str(run.folder))


def _without_the_store(arguments: argparse.Namespace, store: Store, out: Listing, error: StoreError) -> int:
    """What this machine knows to be unarchived, when the store could not be listed at all.

    Raises:
        StoreError: the store failed in the middle of its listing, or nothing here waits for it.
    """
    rows = [] if out.begun else list(_local(arguments, store, without_noted=True))
    if not rows:
        raise error
    _print(out, iter(rows), arguments.limit)
    out.close()
    say_failure(error)
    return error.exit_code


_HEADER = f"{'run':<34}  {'lever':<8}  {'started':<20}  {'state':<10}  bundle\n"


def _line(row: Row) -> str:
    started = f"{row.ref.started:%Y-%m-%d %H:%M} UTC"
    return f"{row.run_id:<34}  {row.ref.lever.upper():<8}  {started:<20}  {row.state:<10}  {row.place}"


def _document(row: Row) -> dict[str, str]:
    return {
        "run_id": row.run_id,
        "lever": row.ref.lever.upper(),
        "started": f"{row.ref.started:%Y-%m-%dT%H:%M:%SZ}",
        "state": row.state,
        "bundle": row.place,
    }
