"""The MS-01 loop as a Prefect flow: a task a stage.

Nothing is timed across a Prefect call. Only archiving is retried: a measurement that is repeated until it pleases
proves nothing. After a crash the run's own journal is the truth; give its run id as `resume`.
"""

import logging
import time
from typing import Annotated

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from pydantic import Field

from prfpipe import layout
from prfpipe.artifacts.summary import summary_markdown
from prfpipe.doctrine import Stage
from prfpipe.errors import PrfpipeError
from prfpipe.events import Event, read_events
from prfpipe.lever import Lever, find_lever
from prfpipe.loop import LOOP, Options, Outcome, Run, close, open_run
from prfpipe.loop.closing import gather
from prfpipe.models import Effort
from prfpipe.plan import command_line
from prfpipe.progress import Terminal
from prfpipe.settings import Settings, load_settings

# Prefect keeps an artifact in its database; a picture that is larger than this is left to the report.
MAX_ARTIFACT_BYTES = 400_000


class _WithoutTraceback(logging.Filter):
    """A failure that prfpipe expects is told in its own words; a traceback would only hide them."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, PrfpipeError):
            record.msg, record.args, record.exc_info = f"{error.message} ({error.hint})", (), None
        return True


for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_WithoutTraceback())


@flow(name="evaluate-lever", flow_run_name="{lever}-{effort}", validate_parameters=True)
def evaluate_lever(
    lever: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{1,39}$")] = "LEV-01",
    effort: Effort = Effort.QUICK,
    store: str | None = None,
    accept_noise: bool = False,
    resume: str | None = None,
) -> dict[str, str]:
    """Put a lever through the MS-01 loop and archive the evidence.

    Args:
        lever: id of a lever in the configured lever folder, such as LEV-01
        effort: how long to measure: about 1, 3 or 15 minutes
        store: where the bundle goes; the configured store if empty
        accept_noise: measure even if this host is noisy; the plan records it
        resume: id of an interrupted run to go on with
    """
    settings = load_settings()
    if store:
        settings = settings.model_copy(update={"store": store})
    found = find_lever(lever, settings.levers)
    outcome = _loop(found, Options(effort, command_line(), accept_noise), settings, resume)
    verdict = outcome.verdict
    return {
        "run_id": verdict.run_id,
        "verdict": verdict.verdict,
        "claim": verdict.claim,
        "bundle": outcome.bundle,
    }


@flow(name="evaluate-lever-folder", flow_run_name="{lever.spec.id}-{options.effort}", validate_parameters=False)
def evaluate_folder(lever: Lever, options: Options, settings: Settings, resume: str | None) -> Outcome:
    """The same loop for a lever that the command line has loaded already; its folder may lie anywhere."""
    return _loop(lever, options, settings, resume)


def run(lever: Lever, options: Options, settings: Settings, resume: str | None) -> Outcome:
    """Run the flow in this process, on the configured Prefect server or on an ephemeral one."""
    return evaluate_folder(lever, options, settings, resume)


def _loop(lever: Lever, options: Options, settings: Settings, resume: str | None) -> Outcome:
    start = time.monotonic()
    with plan(lever, options, settings, resume) as current:
        for stage in LOOP:
            perform.with_options(name=str(stage), task_run_name=f"{stage} {lever.spec.id}")(current, stage)
        publish(current)
        return archive(current, settings, start)


@task(cache_policy=NO_CACHE, persist_result=False)
def plan(lever: Lever, options: Options, settings: Settings, resume: str | None) -> Run:
    """Freeze the plan, or open the run to resume."""
    opened = open_run(lever, options, settings, Terminal(), resume)
    get_run_logger().info("run %s", opened.run_id)
    return opened


@task(cache_policy=NO_CACHE, persist_result=False)
def perform(current: Run, stage: Stage) -> None:
    """One stage of the loop; nothing if the journal says that it is finished."""
    logger = get_run_logger()
    if current.finished(stage):
        logger.info("%s: finished before", stage)
        return
    current.perform(stage)
    logger.info("%s: done", stage)


@task(cache_policy=NO_CACHE, persist_result=False)
def publish(current: Run) -> None:
    """Show the verdict in the UI, and send the doctrine's events."""
    context = current.context
    evidence = gather(context)
    create_markdown_artifact(
        key=f"{context.spec.id.lower()}-verdict",
        markdown=summary_markdown(evidence, max_bytes=MAX_ARTIFACT_BYTES),
        description=f"{context.spec.id}: {evidence.verdict.verdict}, claim {evidence.verdict.claim}",
    )
    for event in read_events(context.folder.read(layout.EVENTS)):
        _emit(event, context.plan.host.name)


def _emit(event: Event, host: str) -> None:
    emit_event(
        event=f"prfpipe.{event.code}",
        resource={
            "prefect.resource.id": f"prfpipe.lever.{event.lever}",
            "prefect.resource.name": event.lever,
            "prfpipe.host": host,
        },
        payload={"level": event.level, "message": event.message, "run_id": event.run_id, **event.figures},
    )


@task(cache_policy=NO_CACHE, persist_result=False, retries=3, retry_delay_seconds=[5, 20, 60])
def archive(current: Run, settings: Settings, start: float) -> Outcome:
    """Seal the bundle and put it into the store."""
    outcome = close(current, settings, start)
    get_run_logger().info("%s: %s", outcome.verdict.verdict, outcome.bundle)
    return outcome
