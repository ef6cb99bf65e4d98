"""How a run is told in Prefect: its log, the artifact with the verdict, the doctrine's events."""

import logging

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from flows.names import EFFORT_LABEL
from prfpipe import layout
from prfpipe.artifacts.names import clean
from prfpipe.artifacts.summary import summary_markdown
from prfpipe.doctrine import Stage
from prfpipe.errors import PrfpipeError
from prfpipe.events import Event, read_events
from prfpipe.loop import Run
from prfpipe.loop.closing import gather
from prfpipe.loop.summary import stage_summary
from prfpipe.progress import Lines

# Prefect keeps an artifact in its database; a picture that is larger than this is left to the report.
MAX_ARTIFACT_BYTES = 400_000
_SECONDS_BETWEEN_LINES = 10.0
# Loggers that Prefect tells failures to: in a run, and in the process that a worker starts for it.
_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")


class _WithoutTraceback(logging.Filter):
    """A failure that prfpipe expects is told in its own words; a traceback would only hide them."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, PrfpipeError):
            record.msg, record.args, record.exc_info = "%s", (_words(error),), None
        return True


def _words(error: PrfpipeError) -> str:
    notes = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
    return "\n".join([clean(f"{error.message} ({error.hint})", 2000), *(clean(line, 400) for line in notes)])


def tell_failures_in_our_words() -> None:
    """Take tracebacks of expected failures out of Prefect's logs; calling it again changes nothing."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, _WithoutTraceback) for known in logger.filters):
            logger.addFilter(_WithoutTraceback())


def run_log() -> Lines:
    """Progress as lines in the log of the current flow run, few enough for a server."""
    return Lines(get_run_logger().info, every=_SECONDS_BETWEEN_LINES)


def log_summary(current: Run, stage: Stage, *, before: bool = False) -> None:
    """What a stage found, in the log of the current task run; `before`: in an earlier attempt at this run."""
    current.context.progress.finish()
    get_run_logger().info("%s%s", "finished before: " * before, stage_summary(current.context, stage))


def publish_verdict(current: Run) -> None:
    """The verdict's page as a Prefect artifact, and the events of the run."""
    context = current.context
    evidence = gather(context)
    create_markdown_artifact(
        key=f"{context.spec.id.lower()}-verdict",
        markdown=summary_markdown(evidence, max_bytes=MAX_ARTIFACT_BYTES),
        description=f"{context.spec.id}: {evidence.verdict.verdict}, claim {evidence.verdict.claim}",
    )
    for event in read_events(context.folder.read(layout.EVENTS)):
        emit(event, f"prfpipe.lever.{context.spec.id}", context.spec.id, context.plan.host.name, context.plan.effort)


def emit(event: Event, resource: str, name: str, host: str, effort: str) -> None:
    """Send one of the doctrine's events to Prefect, about a resource of this id and name."""
    emit_event(
        event=f"prfpipe.{event.code}",
        resource=labels(resource, name, host, effort),
        payload={"level": event.level, "message": event.message, "run_id": event.run_id, **event.figures},
    )


def labels(resource: str, name: str, host: str, effort: str) -> dict[str, str]:
    """What an event is about, where and with which effort it was found: what automations select by."""
    return {
        "prefect.resource.id": resource,
        "prefect.resource.name": name,
        "prfpipe.host": host,
        EFFORT_LABEL: effort,
    }
