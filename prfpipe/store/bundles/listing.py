"""Which bundles a store has, oldest first, with one page of each lever in memory."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from operator import attrgetter

from prfpipe.attest import MAX_STATEMENT_BYTES
from prfpipe.errors import NotFoundError
from prfpipe.layout import STATEMENT
from prfpipe.store.base import Store
from prfpipe.store.bundles.refs import ROOT, STAMP, BundleRef, committed, key, ref_of

_RECENT = (timedelta(days=2), timedelta(days=60))


def list_bundles(
    store: Store, lever: str | None = None, since: datetime | None = None, after: str = ""
) -> Iterator[BundleRef]:
    """The committed bundles, oldest first.

    Keys of one lever are in the order of time, so the levers' listings are merged as they come.

    Args:
        store: where.
        lever: only this lever's, by its id in any case.
        since: only runs that began at this time (with a time zone) or later.
        after: only runs whose ids sort after this one, which is where an earlier listing ended.
    """
    start = start_of(since, after)
    levers = [lever.lower()] if lever else store.folders(ROOT)
    return merge(*(_of_lever(store, name, start) for name in levers), key=attrgetter("run_id"))


def start_of(since: datetime | None, after: str = "") -> str:
    """The text after which the ids of runs sort that began at `since` or later, and come after the run `after`."""
    return max(since.astimezone(UTC).strftime(STAMP) if since else "", after)


def _of_lever(store: Store, lever: str, start: str) -> Iterator[BundleRef]:
    folder = f"{ROOT}/{lever}"
    for info in store.list(folder, after=f"{folder}/{start}" if start else ""):
        ref = committed(store, info.key)
        if ref and ref.run_id > start:
            yield ref


def resolve(store: Store, wanted: str, lever: str | None = None) -> BundleRef:
    """The bundle with the run id `wanted`, or the newest if that is `latest`.

    Raises:
        InputError: `wanted` is neither, or is a run of another lever.
        NotFoundError: there is no such committed bundle.
    """
    if wanted == "latest":
        newest = _newest(store, lever)
        return newest or _no_bundle(f"{store.url()} has no bundle" + (f" of {lever}" if lever else ""))
    ref = ref_of(store, wanted, lever)
    return ref if store.exists(key(ref, STATEMENT)) else _no_bundle(f"{store.url()} has no bundle {wanted}")


def _newest(store: Store, lever: str | None) -> BundleRef | None:
    """Stores list forwards only, so the newest is looked for among the recent ones before everything is listed."""
    now = datetime.now(UTC)
    for since in (*(now - span for span in _RECENT), None):
        if last := deque(list_bundles(store, lever, since), maxlen=1):
            return last[0]
    return None


def get_statement(store: Store, ref: BundleRef) -> bytes:
    """The bytes of a bundle's statement, as the store has them.

    Raises:
        StoreError: the store failed, or the bundle is gone.
    """
    return store.get(key(ref, STATEMENT), max_bytes=MAX_STATEMENT_BYTES)


def stored_files(store: Store, ref: BundleRef) -> frozenset[str]:
    """The names of a bundle's files that the store has, listed by its statement or not. Raises `StoreError`."""
    folder = f"{ROOT}/{ref.lever}/{ref.run_id}"
    return frozenset(info.key.removeprefix(f"{folder}/") for info in store.list(folder))


def _no_bundle(message: str) -> BundleRef:
    raise NotFoundError(
        message,
        hint="`prfpipe bundles` lists what is there; an interrupted archive shows once it is completed.",
    )
