"""What the last run of a history says that a person should hear, and where the page of all histories lies."""

from collections.abc import Iterator, Sequence

from prfpipe.artifacts import format as fmt
from prfpipe.digests import sha256_hex
from prfpipe.history.changes import new_losses
from prfpipe.history.page import page
from prfpipe.history.retention import adopted
from prfpipe.models import HistoryPoint, LeverHistory, Verdict
from prfpipe.store.base import Store

PAGE_KEY = "history/v1/history.html"


def losses(history: LeverHistory, tonight: Verdict) -> Iterator[str]:
    """Why an adopted gain is no longer what it was: a sentence each, told in the night in which it shows.

    `tonight`: of the re-profiling. One that compared nothing, as where the candidate is no longer right, is in no
    history; its rejection is told all the same.
    """
    if tonight.verdict == "reject":
        yield f"tonight it is rejected: {'; '.join(reason.message for reason in tonight.reasons)}"
    if is_last(history, tonight):
        yield from _lost_over_time(history)


def is_last(history: LeverHistory, tonight: Verdict) -> bool:
    """Whether a run is the one that its history ends with."""
    return history.points[-1].run_id == tonight.run_id


def _lost_over_time(history: LeverHistory) -> Iterator[str]:
    left = history.retention
    if left is not None and left.state == "rotted":
        share = fmt.show_estimate(left.share, fmt.RATIO)
        gone = f"more than {left.tolerance_percent:g} % of the gain is gone"
        yield f"{share} of the speed-up of {left.adopted} is left: {gone}"
    for change in new_losses(history.points):
        before, after = fmt.show(change.before, fmt.RATIO), fmt.show(change.after, fmt.RATIO)
        yield f"the speed-up fell from {before} to {after} with run {change.run_id}"


def adopted_here(histories: Sequence[LeverHistory], host: str) -> dict[str, HistoryPoint]:
    """The levers that are adopted on a host, each with the run on whose evidence it was."""
    found = {item.lever: adopted(item.points) for item in histories if item.host == host}
    return {lever: point for lever, point in found.items() if point is not None}


def publish_page(store: Store, histories: Sequence[LeverHistory]) -> str:
    """Put the page into the store, in place of the one of yesterday; returns its URL.

    It is drawn from the evidence and is none: it alone may be replaced.

    Raises:
        StoreError: the store failed.
    """
    data = page(histories)
    store.delete(PAGE_KEY)
    store.put(PAGE_KEY, data, sha256_hex(data))
    return store.url(PAGE_KEY)
