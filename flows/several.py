"""Every lever of this worker, each as a run of its own: they queue, and spread over the hosts that listen.

Given work queues, one for each class of hosts, every lever is evaluated once in each of them, with the same seed and so
on the same operations, and what the hosts found is compared. A run whose host dies is started again, by whichever host
of its class is there; a run that ends in a verdict, or says why there is none, is not.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed
from pydantic import Field

from flows.names import POOL
from flows.parameters import DEFAULT_STORE, StoreName, worker_settings
from flows.telling import tell_failures_in_our_words
from prfpipe.errors import InputError
from prfpipe.history.hosts import HostComparison, compare_hosts, row, sentence
from prfpipe.history.series import UNREADABLE, read_run
from prfpipe.lever import list_levers
from prfpipe.models import Effort, Plan, Verdict
from prfpipe.settings import Settings
from prfpipe.store import open_store
from prfpipe.store.base import Store
from prfpipe.store.evidence import list_bundles

QueueName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Queues = Annotated[tuple[QueueName, ...], Field(max_length=20)]

_LONGEST_SECONDS = 24 * 3600
_STARTS = 3
_CLOCKS_APART = timedelta(hours=1)

tell_failures_in_our_words()


@dataclass(frozen=True)
class Order:
    """One evaluation that is wanted: a lever, in a queue or wherever the deployment's runs go."""

    lever: str
    queue: str | None

    @property
    def name(self) -> str:
        """Lever and queue."""
        return f"{self.lever} on {self.queue}" if self.queue else self.lever


@flow(name="evaluate-all", flow_run_name="all levers {effort}", persist_result=False)
def evaluate_all(
    effort: Effort = Effort.STANDARD,
    store: StoreName = DEFAULT_STORE,
    accept_noise: bool = False,
    queues: Queues = (),
) -> State[dict[str, str]]:
    """Evaluate each lever of this worker as a run of `evaluate-lever`, and show all results in one table.

    Args:
        effort: how long to measure each lever: about 1, 3 or 15 minutes
        store: where the bundles go: one of the stores that the workers know by name
        accept_noise: measure even on a noisy host; the plans record it
        queues: work queues, one for each class of hosts: each lever is evaluated in each, and the hosts are compared
    """
    settings, began = worker_settings(store), datetime.now(UTC)
    require_queues(queues)
    levers = [lever.spec.id for lever in list_levers(settings.levers)]
    if not levers:
        raise InputError(f"no levers under {settings.levers}", hint="PRFPIPE_LEVERS of this worker names their folder.")
    # A seed that a candidate can read gives it the inputs, and a parameter can be read from the server.
    seeds = {name: secrets.randbits(48) for name in levers} if queues else {}
    orders = [Order(name, queue) for name in levers for queue in dict.fromkeys(queues) or (None,)]
    given = {"effort": effort.value, "store": store, "accept_noise": accept_noise}
    waiting = {item: evaluate.submit(item, {**given, **_seed(seeds, item)}) for item in orders}
    ended = {item: future.result() for item, future in waiting.items()}
    create_table_artifact(key="all-levers", table=[_row(item, run) for item, run in ended.items()])
    words = {item.name: _words(run) for item, run in ended.items()}
    if queues:
        words |= across_hosts(seeds, settings, began)
    message = "; ".join(f"{name} {found}" for name, found in words.items())[:1000]
    completed = all(run.state and run.state.is_completed() for run in ended.values())
    return Completed(message=message, data=words) if completed else Failed(message=message)


def _seed(seeds: dict[str, int], order: Order) -> dict[str, int]:
    return {"seed": seeds[order.lever]} if order.lever in seeds else {}


def require_queues(queues: Iterable[str]) -> None:
    """Nobody would take what is put into a queue that is spelled wrong: Prefect makes it, and no host listens.

    Raises:
        InputError: the pool has no queue of that name.
    """
    with get_client(sync_client=True) as client:
        for name in queues:
            try:
                client.read_work_queue_by_name(name, work_pool_name=POOL)
            except ObjectNotFound as error:
                raise InputError(
                    f"the work pool {POOL} has no queue {name}", hint=f"prefect work-queue create {name} --pool {POOL}"
                ) from error


@task(task_run_name="{order.name}", cache_policy=NO_CACHE, persist_result=False)
def evaluate(order: Order, parameters: dict[str, object]) -> FlowRun:
    """One run of the deployment, from the queue to its end; another one in its place where its host has died."""
    for _ in range(_STARTS - 1):
        run = _queued(order, parameters)
        if not (run.state and run.state.is_crashed()):
            return run
        get_run_logger().warning("%s: %s crashed; it is started again", order.name, run.name)
    return _queued(order, parameters)


def _queued(order: Order, parameters: dict[str, object]) -> FlowRun:
    run = run_deployment(
        "evaluate-lever/evaluate-lever",
        parameters={"lever": order.lever, **parameters},
        timeout=_LONGEST_SECONDS,
        work_queue_name=order.queue,
    )
    assert isinstance(run, FlowRun)  # noqa: S101 - outside of an event loop it is no coroutine
    return run


@task(task_run_name="compare hosts", cache_policy=NO_CACHE, persist_result=False)
def across_hosts(seeds: dict[str, int], settings: Settings, began: datetime) -> dict[str, str]:
    """What the hosts found about each lever, as a table and in words; nothing of levers that one host has measured."""
    store = open_store(settings.store)
    found = [compare_hosts(_runs(store, lever, seed, began)) for lever, seed in seeds.items()]
    compared: list[HostComparison] = [item for item in found if item]
    if len(compared) < len(seeds):
        get_run_logger().warning(
            "%d of %d levers have no bundles of two hosts in %s: do all workers archive there, and is there a worker "
            "for each queue?", len(seeds) - len(compared), len(seeds), settings.store,
        )  # fmt: skip
    create_table_artifact(key="hosts", table=[row(item) for item in compared])
    return {f"{item.lever} across hosts": sentence(item) for item in compared}


def _runs(store: Store, lever: str, seed: int, began: datetime) -> list[tuple[Plan, Verdict]]:
    """The bundles of these evaluations: nobody else has their seed."""
    runs = []
    for ref in list_bundles(store, lever, began - _CLOCKS_APART):
        try:
            plan, verdict = read_run(store, ref)
        except UNREADABLE as error:
            get_run_logger().warning("%s: %s", ref.run_id, error.message)
            continue
        if plan.seed == seed:
            runs.append((plan, verdict))
    return runs


def _words(run: FlowRun) -> str:
    return (run.state.message or _state(run)) if run.state else "unknown"


def _state(run: FlowRun) -> str:
    return (run.state.name if run.state else None) or "unknown"


def _row(order: Order, run: FlowRun) -> dict[str, str]:
    queue = {"queue": order.queue} if order.queue else {}
    return {"lever": order.lever, **queue, "run": run.name, "state": _state(run), "result": _words(run)}
