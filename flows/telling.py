"""How a run is told in Prefect: its log, the artifact with the verdict, the doctrine's events."""

import logging
import time
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.events import emit_event

from flows.names import EFFORT_LABEL
from prfpipe import layout
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.names import clean
from prfpipe.artifacts.summary import Kept, NotKept, summary_markdown
from prfpipe.doctrine import Stage
from prfpipe.errors import PrfpipeError
from prfpipe.events import Event, read_events
from prfpipe.loop import Run
from prfpipe.loop.closing import gather
from prfpipe.models import ScenarioResult
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


class RunProgress:
    """The log of the current flow run, and a bar on its page with what is done now and how long it will take.

    Called between invocations only; the server hears of it at most once in `_SECONDS_BETWEEN_LINES`.
    """

    def __init__(self, lever: str) -> None:
        self._lines = run_log()
        bar = create_progress_artifact(0.0, key=f"{lever.lower()}-progress", description="plan")
        assert isinstance(bar, UUID)  # noqa: S101 - outside of an event loop it is no coroutine
        self._bar = bar
        self._told = time.monotonic()

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """See `Progress.say`."""
        self._lines.say(text, done=done, remaining=remaining)
        if done is not None and time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            rest = f", about {remaining:.0f} s left" if remaining is not None else ""
            self._show(done, f"{text}{rest}")

    def finish(self) -> None:
        """See `Progress.finish`."""
        self._lines.finish()

    def end(self, words: str) -> None:
        """The bar is full, and says how the run ended."""
        self._show(1.0, words)

    def _show(self, done: float, words: str) -> None:
        update_progress_artifact(self._bar, progress=100 * min(done, 1.0), description=clean(words, 300))


def log_summary(current: Run, stage: Stage, *, before: bool = False) -> None:
    """What a stage found, in the log of the current task run; `before`: in an earlier attempt at this run."""
    current.context.progress.finish()
    get_run_logger().info("%s%s", "finished before: " * before, current.summary(stage))


def publish_verdict(current: Run, kept: Kept | NotKept) -> None:
    """The verdict's page as a Prefect artifact, and the events of the run."""
    context = current.context
    evidence = gather(context)
    create_markdown_artifact(
        key=f"{context.spec.id.lower()}-verdict",
        markdown=summary_markdown(evidence, kept, max_bytes=MAX_ARTIFACT_BYTES),
        description=f"{context.spec.id}: {evidence.verdict.verdict}, claim {evidence.verdict.claim}",
    )
    create_table_artifact(
        key=f"{context.spec.id.lower()}-scenarios", table=[scenario_row(item) for item in evidence.verdict.scenarios]
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


def labels(resource: str, name: str, host: str, effort: str | None = None) -> dict[str, str]:
    """What an event is about, where and, if measured, with which effort it was found: what automations select by."""
    found = {
        "prefect.resource.id": resource,
        "prefect.resource.name": name,
        "prfpipe.host": host,
    }
    return found if effort is None else {**found, EFFORT_LABEL: effort}


def scenario_row(result: ScenarioResult) -> dict[str, str]:
    """One scenario in a table of the UI."""
    arms = result.arms
    return {
        "scenario": result.scenario + " (primary)" * result.primary,
        "baseline p50": fmt.show(arms["baseline"].p50_ns.estimate, fmt.DURATION),
        "candidate p50": fmt.show(arms["candidate"].p50_ns.estimate, fmt.DURATION),
        "speed-up": fmt.show_estimate(result.speedup, fmt.RATIO),
        "A/A control": fmt.show_estimate(result.control, fmt.RATIO),
        "invocations": fmt.show_count(result.invocations),
    }
