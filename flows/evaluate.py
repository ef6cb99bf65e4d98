"""The MS-01 loop as a Prefect flow: a task a stage.

Nothing is timed across a Prefect call. Only archiving is retried: a measurement that is repeated until it pleases
proves nothing. After a crash the run's own journal is the truth; give its run id as `resume`. A verdict of any
kind completes the flow; it fails when there is none.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx
from prefect import Task, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas import State, TaskRun
from prefect.states import Completed
from pydantic import Field

from flows.exclusive import turn_on
from flows.names import run_name
from flows.parameters import DEFAULT_STORE, LeverId, StoreName, lever_of, worker_settings
from flows.telling import RunProgress, log_summary, publish_verdict, tell_failures_in_our_words
from prfpipe import host
from prfpipe.artifacts.derive import sentence
from prfpipe.artifacts.summary import Kept, NotKept
from prfpipe.doctrine import Stage
from prfpipe.errors import HostError, PrfpipeError, StoreUnavailableError
from prfpipe.lever import Lever
from prfpipe.loop import LOOP, Options, Outcome, Run, close, open_run, require_plan_of
from prfpipe.loop.closing import kept_at
from prfpipe.models import Effort, RunId
from prfpipe.progress import Progress, Terminal
from prfpipe.settings import Settings

Seed = Annotated[int, Field(ge=0, lt=2**63)]

tell_failures_in_our_words()


@flow(name="evaluate-lever", flow_run_name=run_name("{lever} {effort}"), persist_result=False)
def evaluate_lever(
    lever: LeverId,
    effort: Effort = Effort.QUICK,
    store: StoreName = DEFAULT_STORE,
    accept_noise: bool = False,
    seed: Seed | None = None,
    resume: RunId | None = None,
) -> State[dict[str, str]]:
    """Put a lever through the MS-01 loop and archive the evidence.

    Args:
        lever: id of a lever in the worker's lever folder, such as LEV-01
        effort: how long to measure: about 1, 3 or 15 minutes
        store: where the bundle goes: one of the stores that the worker knows by name
        accept_noise: measure even if this host is noisy; the plan records it
        seed: of all schedules and operations; a fresh one if empty
        resume: id of an interrupted run on this worker to go on with
    """
    settings = worker_settings(store)
    # A form states effort and seed again.
    require_plan_of(resume, effort, seed, settings)
    words = evaluate_words(lever, effort, settings, store, accept_noise=accept_noise, seed=seed)
    options = Options(effort, words, accept_noise, seed)
    progress = RunProgress(lever)
    outcome = run_loop(lever_of(lever, settings), options, settings, progress, resume)
    told = sentence(outcome.verdict)
    progress.end(told)
    return Completed(message=told, data=answers(outcome))


def answers(outcome: Outcome) -> dict[str, str]:
    """What a flow returns: names and words, never a pickle."""
    verdict = outcome.verdict
    return {
        "run_id": verdict.run_id,
        "lever": verdict.lever,
        "host": outcome.plan.host.name,
        "verdict": verdict.verdict,
        "claim": verdict.claim,
        "bundle": outcome.bundle,
    }


def run(lever: Lever, options: Options, settings: Settings, resume: str | None) -> Outcome:
    """Run the flow in this process, on the configured Prefect server or on an ephemeral one.

    Raises:
        HostError: the configured server cannot be reached, or was lost; what was recorded is kept.
    """
    # The first client starts the ephemeral server, which inherits the CPUs that it may use.
    with host.leave_cpu_free(host.measuring_cpu()), get_client(sync_client=True) as client:
        trouble = client.api_healthcheck()
    if trouble:
        raise HostError(f"{client.api_url}: no Prefect server answers: {trouble}", hint=_WITHOUT_SERVER)
    try:
        return _in_words(lever, options, settings)(lever.spec.id, options.effort.value, resume)
    except httpx.HTTPError as error:
        raise HostError(f"{client.api_url}: the Prefect server was lost: {error}", hint=_WITHOUT_SERVER) from error


def _in_words(loaded: Lever, options: Options, settings: Settings) -> Callable[[str, str, str | None], Outcome]:
    """The same loop for a lever that the command line has loaded already; its folder may lie anywhere.

    A server keeps a flow's parameters: they are names only, and no settings, which may hold a webhook's secret.
    """

    @flow(name="evaluate-lever-folder", flow_run_name=run_name("{lever} {effort}"), persist_result=False)
    def evaluate_folder(lever: str, effort: str, resume: str | None) -> Outcome:
        return run_loop(loaded, options, settings, Terminal(), resume)

    return evaluate_folder


_WITHOUT_SERVER = (
    "Start the server (`prefect server start`) or unset PREFECT_API_URL, or evaluate with --inline, which needs none; "
    "a run that had begun goes on with --resume and its id, the name of its folder."
)


def run_loop(lever: Lever, options: Options, settings: Settings, progress: Progress, resume: str | None) -> Outcome:
    """The stages as tasks, in the host's turn: whoever else wants to measure here waits in Prefect's queue."""
    with turn_on(host.name()):
        start = time.monotonic()
        current = plan(lever, options, settings, progress, resume)
        with current:
            for stage in LOOP:
                current = perform.with_options(name=stage)(current, stage)
            return _archive_and_publish(current, settings, start)


def _archive_and_publish(current: Run, settings: Settings, start: float) -> Outcome:
    """The page has links into the store, so it comes last; where archiving fails it says that instead."""
    try:
        outcome = archive(current, settings, start)
    except PrfpipeError as error:
        publish(current, NotKept(error.message, error.hint, str(current.context.folder.path)))
        raise
    publish(current, kept_at(current.context, settings.store))
    return outcome


@task(task_run_name="plan {lever.spec.id}", cache_policy=NO_CACHE, persist_result=False)
def plan(lever: Lever, options: Options, settings: Settings, progress: Progress, resume: str | None) -> Run:
    """Freeze the plan, or open the run to resume."""
    opened = open_run(lever, options, settings, progress, resume)
    log_summary(opened, Stage.PLAN, before=resume is not None)
    return opened


@task(task_run_name="{stage} {current.context.spec.id}", cache_policy=NO_CACHE, persist_result=False)
def perform(current: Run, stage: Stage) -> Run:
    """One stage of the loop; nothing if the journal says that it is finished. Returns the run for the next task."""
    before = current.finished(stage)
    current.perform(stage)
    log_summary(current, stage, before=before)
    return current


@task(task_run_name="publish {current.context.spec.id}", cache_policy=NO_CACHE, persist_result=False)
def publish(current: Run, kept: Kept | NotKept) -> None:
    """Show the verdict in the UI, and send the doctrine's events."""
    publish_verdict(current, kept)


def _may_help(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), StoreUnavailableError)


@task(
    task_run_name="archive {current.context.spec.id}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=3,
    retry_delay_seconds=[5, 20, 60],
    retry_condition_fn=_may_help,
)
def archive(current: Run, settings: Settings, start: float) -> Outcome:
    """Seal the bundle and put it into the store; tried again only where the store gave no usable answer."""
    outcome = close(current, settings, start)
    current.context.progress.finish()
    get_run_logger().info("%s", outcome.bundle)
    return outcome


def evaluate_words(
    lever: str, effort: Effort, settings: Settings, store: str, *, accept_noise: bool, seed: int | None = None
) -> tuple[str, ...]:
    """What a person would type instead: the command line of a worker's process says nothing."""
    words = ["prfpipe", "evaluate", lever, "--effort", effort.value]
    words += [] if store == DEFAULT_STORE else ["--store", settings.store]
    words += [] if seed is None else ["--seed", str(seed)]
    return (*words, *["--accept-noise"] * accept_noise)
