"""Every night: each lever that is adopted on this host is put through the loop again, and its history is told.

A night is an ordinary evaluation whose plan names the adopted run (`--reprofiles`), so that it is evidence like any
other, and never becomes the measure that it is held against.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.events import emit_event
from prefect.states import Completed, Failed
from pydantic import Field

from flows.evaluate import evaluate_words, run_loop
from flows.names import GAIN_LOST, run_name
from flows.parameters import DEFAULT_STORE, LeverId, StoreName, lever_of, worker_settings
from flows.telling import MAX_ARTIFACT_BYTES, labels, run_log, tell_failures_in_our_words
from prfpipe import host
from prfpipe.artifacts.names import markdown
from prfpipe.artifacts.report import data_uri
from prfpipe.errors import PrfpipeError, StoreError
from prfpipe.history import histories
from prfpipe.history.losses import adopted_here, losses, publish_page
from prfpipe.history.page import table
from prfpipe.history.plots import trend
from prfpipe.history.retention import TOLERANCE_PERCENT
from prfpipe.loop import Options
from prfpipe.models import Effort, HistoryPoint, LeverHistory
from prfpipe.settings import Settings
from prfpipe.store import Store, open_store

Tolerance = Annotated[float, Field(ge=0, lt=100)]

tell_failures_in_our_words()


@flow(name="nightly", flow_run_name=run_name("nightly {effort}"), persist_result=False)
def nightly(
    effort: Effort = Effort.QUICK,
    store: StoreName = DEFAULT_STORE,
    accept_noise: bool = True,
    tolerance_percent: Tolerance = TOLERANCE_PERCENT,
    lever: LeverId | None = None,
) -> State[dict[str, str]]:
    """Re-profile each lever that is adopted on this host, and tell what is left of its gain.

    Args:
        effort: how long to measure each lever: about 1, 3 or 15 minutes
        store: whose evidence: one of the stores that the worker knows by name
        accept_noise: measure even if this host is noisy; the plans record it
        tolerance_percent: a gain has rotted when certainly more of it is gone
        lever: only this one; every adopted lever if empty
    """
    settings = worker_settings(store)
    before = histories(open_store(settings.store), tolerance_percent=tolerance_percent)
    adopted = adopted_here(before, host.name())
    due = {name: point for name, point in adopted.items() if lever in (None, name)}
    failed = [
        lever for lever, point in due.items() if not _reprofiled(lever, point, effort, settings, store, accept_noise)
    ]
    measured = [name for name in due if name not in failed]
    again = {"store": store, "tolerance_percent": tolerance_percent, "accept_noise": accept_noise}
    told = tell(measured, effort, settings, again) if due else {}
    message = f"{len(due)} adopted on {host.name()}, {len(told)} lost gain, {len(failed)} without a verdict"
    if failed:
        return Failed(message=f"{message}: {', '.join(failed)}")
    return Completed(message=message, data=told)


def _reprofiled(
    lever: str, point: HistoryPoint, effort: Effort, settings: Settings, store: str, accept_noise: bool
) -> bool:
    """Whether there is a verdict. One lever's failure is told, and costs the others nothing."""
    words = evaluate_words(lever, effort, settings, store, accept_noise=accept_noise)
    options = Options(effort, (*words, "--reprofiles", point.run_id), accept_noise)
    try:
        run_loop(lever_of(lever, settings), options, settings, run_log(), None)
    except PrfpipeError as error:
        get_run_logger().error("%s: %s (%s)", lever, error.message, error.hint)
        return False
    return True


@task(task_run_name="tell", cache_policy=NO_CACHE, persist_result=False)
def tell(measured: Collection[str], effort: Effort, settings: Settings, again: Mapping[str, Any]) -> dict[str, str]:
    """Events, artifact and page about the levers that were measured; returns what was lost, by lever.

    `again`: what a second look at this night has to be given, besides the lever and its own effort.
    """
    store = open_store(settings.store)
    everything = histories(store, tolerance_percent=again["tolerance_percent"])
    found = [item for item in everything if item.host == host.name() and item.lever in measured]
    lost = {item.lever: "; ".join(losses(item)) for item in found}
    lost = {lever: words for lever, words in lost.items() if words}
    for item in found:
        if item.lever in lost:
            _emit(item, lost[item.lever], effort, again)
    create_markdown_artifact(
        key="nightly",
        markdown=_markdown(found, lost, _page(store, everything)),
        description=f"{len(found)} levers, {len(lost)} lost gain",
    )
    return lost


def _page(store: Store, everything: Sequence[LeverHistory]) -> str:
    """Where the page of all histories is, or why it is not there: a page costs nobody the night's news."""
    try:
        return f"`{publish_page(store, everything)}`"
    except StoreError as error:
        get_run_logger().warning("history.html: %s (%s)", error.message, error.hint)
        return f"no page: {markdown(error.message)}"


def _markdown(found: list[LeverHistory], lost: dict[str, str], page: str) -> str:
    """The table, then the trends as pictures, as far as the server's database has room."""
    text = f"{table(found)}\n\n" + "".join(f"**{lever}**: {words}.\n\n" for lever, words in lost.items())
    text += f"All hosts: {page}\n"
    for item in found:
        image = f"\n![{item.lever} over time]({data_uri(trend(item))})\n"
        if len(text) + len(image) <= MAX_ARTIFACT_BYTES:
            text += image
    return text


def _emit(history: LeverHistory, words: str, effort: Effort, again: Mapping[str, Any]) -> None:
    last = history.points[-1]
    emit_event(
        event=GAIN_LOST,
        resource=labels(f"prfpipe.lever.{history.lever}", history.lever, history.host, effort),
        payload={
            "lever": history.lever,
            "host": history.host,
            "run_id": last.run_id,
            "speedup": last.speedup.estimate,
            "left": history.retention.share.estimate if history.retention else None,
            "message": words,
            **again,
        },
    )
