"""Every night: each lever that is adopted on this host is put through the loop again, and its history is told.

A night is an ordinary evaluation whose plan names the adopted run (`--reprofiles`), so that it is evidence like any
other, and never becomes the measure that it is held against.
"""

from collections.abc import Mapping, Sequence
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
from flows.parameters import DEFAULT_STORE, HostName, LeverId, StoreName, lever_of, require_host, worker_settings
from flows.telling import MAX_ARTIFACT_BYTES, labels, run_log, tell_failures_in_our_words
from prfpipe import host
from prfpipe.artifacts.names import markdown
from prfpipe.artifacts.report import data_uri
from prfpipe.errors import PrfpipeError, StoreError
from prfpipe.history import Histories, histories
from prfpipe.history.losses import adopted_here, is_last, losses, publish_page
from prfpipe.history.page import table
from prfpipe.history.plots import trend
from prfpipe.history.retention import TOLERANCE_PERCENT
from prfpipe.loop import Options
from prfpipe.models import Effort, HistoryPoint, LeverHistory, Verdict
from prfpipe.settings import Settings
from prfpipe.store import Store, open_store

Tolerance = Annotated[float, Field(ge=0, lt=100)]
_NAMED = 5
"""Troubles in a state's message; `prfpipe history` has all of them."""

tell_failures_in_our_words()


@flow(name="nightly", flow_run_name=run_name("nightly {effort}"), persist_result=False)
def nightly(
    effort: Effort = Effort.QUICK,
    store: StoreName = DEFAULT_STORE,
    accept_noise: bool = True,
    tolerance_percent: Tolerance = TOLERANCE_PERCENT,
    lever: LeverId | None = None,
    of_host: HostName | None = None,
) -> State[dict[str, str]]:
    """Re-profile each lever that is adopted on this host, and tell what is left of its gain.

    Args:
        effort: how long to measure each lever: about 1, 3 or 15 minutes
        store: whose evidence: one of the stores that the worker knows by name
        accept_noise: measure even if this host is noisy; the plans record it
        tolerance_percent: a gain has rotted when certainly more of it is gone
        lever: only this one; every adopted lever if empty
        of_host: fail on any other host, so that a second look is taken where the first one was
    """
    require_host(of_host)
    settings = worker_settings(store)
    before = histories(open_store(settings.store), tolerance_percent=tolerance_percent)
    adopted = adopted_here(before.found, host.name())
    due = {name: point for name, point in adopted.items() if lever in (None, name)}
    if lever is not None and not due:
        return Failed(message=f"{lever} is not adopted on {host.name()}, so there is no gain to look at")
    verdicts = {name: _reprofiled(name, point, effort, settings, store, accept_noise) for name, point in due.items()}
    measured = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    again = {"store": store, "tolerance_percent": tolerance_percent, "accept_noise": accept_noise}
    told, after = tell(measured, effort, settings, again) if due else ({}, [])
    failed = [name for name in due if name not in measured]
    message = f"{len(due)} adopted on {host.name()}, {len(told)} lost gain, {len(failed)} without a verdict"
    trouble = list(dict.fromkeys([*failed, *_troubles(before, lever), *after]))
    if trouble:
        return Failed(message=f"{message}: {', '.join(trouble[:_NAMED])}")
    return Completed(message=message, data=told)


def _troubles(histories: Histories, lever: str | None) -> list[str]:
    """Because of what a gain might be looked at no more, and nobody would miss it."""
    here = [item for item in histories.found if item.host == host.name() and lever in (None, item.lever)]
    return [*histories.problems, *(item.ended for item in here if item.ended)]


def _reprofiled(
    lever: str, point: HistoryPoint, effort: Effort, settings: Settings, store: str, accept_noise: bool
) -> Verdict | None:
    """The verdict, if there is one. One lever's failure is told, and costs the others nothing."""
    words = evaluate_words(lever, effort, settings, store, accept_noise=accept_noise)
    options = Options(effort, (*words, "--reprofiles", point.run_id), accept_noise)
    try:
        return run_loop(lever_of(lever, settings), options, settings, run_log(), None).verdict
    except PrfpipeError as error:
        get_run_logger().error("%s: %s (%s)", lever, error.message, error.hint)
        return None


@task(task_run_name="tell", cache_policy=NO_CACHE, persist_result=False)
def tell(
    measured: Mapping[str, Verdict], effort: Effort, settings: Settings, again: Mapping[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """Events, artifact and page about the levers that were measured.

    Returns what was lost, by lever, and why of some nobody can say whether anything was. `again`: what a second look at
    this night has to be given, besides the lever and its own effort.
    """
    store = open_store(settings.store)
    everything = histories(store, tolerance_percent=again["tolerance_percent"]).found
    found = [item for item in everything if item.host == host.name() and item.lever in measured]
    lost = {item.lever: "; ".join(losses(item, measured[item.lever])) for item in found}
    lost = {lever: words for lever, words in lost.items() if words}
    for item in found:
        if item.lever in lost:
            _emit(item, measured[item.lever], lost[item.lever], effort, again)
    create_markdown_artifact(
        key="nightly",
        markdown=_markdown(found, lost, _page(store, everything)),
        description=f"{len(found)} levers, {len(lost)} lost gain",
    )
    in_history = {item.lever for item in found if is_last(item, measured[item.lever])}
    unseen = [f"{name}: its history does not end with tonight" for name in measured if name not in {*in_history, *lost}]
    return lost, [*unseen, *(item.ended for item in found if item.ended)]


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


def _emit(history: LeverHistory, tonight: Verdict, words: str, effort: Effort, again: Mapping[str, Any]) -> None:
    compared = is_last(history, tonight)
    emit_event(
        event=GAIN_LOST,
        resource=labels(f"prfpipe.lever.{history.lever}", history.lever, history.host, effort),
        payload={
            "lever": history.lever,
            "host": history.host,
            "run_id": tonight.run_id,
            "speedup": history.points[-1].speedup.estimate if compared else None,
            "left": history.retention.share.estimate if compared and history.retention else None,
            "message": words,
            **again,
        },
    )
