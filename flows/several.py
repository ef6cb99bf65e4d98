"""Every lever of this worker, each as a run of its own: they queue, and spread over the hosts that listen."""

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import FlowRun, State
from prefect.deployments import run_deployment
from prefect.states import Completed, Failed

from flows.parameters import DEFAULT_STORE, StoreName, worker_settings
from flows.telling import tell_failures_in_our_words
from prfpipe.lever import list_levers
from prfpipe.models import Effort

_LONGEST_SECONDS = 24 * 3600

tell_failures_in_our_words()


@flow(name="evaluate-all", flow_run_name="all levers {effort}", persist_result=False)
def evaluate_all(
    effort: Effort = Effort.STANDARD,
    store: StoreName = DEFAULT_STORE,
    accept_noise: bool = False,
) -> State[dict[str, str]]:
    """Evaluate each lever of this worker as a run of `evaluate-lever`, and show all results in one table.

    Args:
        effort: how long to measure each lever: about 1, 3 or 15 minutes
        store: where the bundles go: one of the stores that the workers know by name
        accept_noise: measure even on a noisy host; the plans record it
    """
    names = [lever.spec.id for lever in list_levers(worker_settings(store).levers)]
    given = {"effort": effort.value, "store": store, "accept_noise": accept_noise}
    waiting = {name: evaluate.submit({"lever": name, **given}) for name in names}
    ended = {name: future.result() for name, future in waiting.items()}
    create_table_artifact(key="all-levers", table=[_row(name, run) for name, run in ended.items()])
    words = {name: _words(run) for name, run in ended.items()}
    message = "; ".join(f"{name} {found}" for name, found in words.items())[:1000]
    completed = all(run.state and run.state.is_completed() for run in ended.values())
    return Completed(message=message, data=words) if completed else Failed(message=message)


@task(task_run_name="{parameters[lever]}", cache_policy=NO_CACHE, persist_result=False)
def evaluate(parameters: dict[str, object]) -> FlowRun:
    """One run of the deployment, from the queue to its end."""
    run = run_deployment("evaluate-lever/evaluate-lever", parameters=parameters, timeout=_LONGEST_SECONDS)
    assert isinstance(run, FlowRun)  # noqa: S101 - outside of an event loop it is no coroutine
    return run


def _words(run: FlowRun) -> str:
    return (run.state.message or _state(run)) if run.state else "unknown"


def _state(run: FlowRun) -> str:
    return (run.state.name if run.state else None) or "unknown"


def _row(name: str, run: FlowRun) -> dict[str, str]:
    return {"lever": name, "run": run.name, "state": _state(run), "result": _words(run)}
