"""PRF-001..005 as structured records, and where they go.

Which events a run emits follows from its plan, its verdict and its files alone, so that the audit can tell
whether `events.jsonl` says what happened. Gates and the check of the doctrine emit events that belong to no run:
these have no run id, and no lever unless they are about one.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

from pydantic import Field

from prfpipe import layout
from prfpipe.digests import canonical_json
from prfpipe.doctrine import ARTIFACTS, EVENT_CODES
from prfpipe.models import GuardMetric, GuardResult, Plan, Record, RunId, Verdict

_CODES = {event.code: event for event in EVENT_CODES}
_TITLES = {artifact.id: artifact.title for artifact in ARTIFACTS}
Missing = Mapping[str, tuple[str, ...]]
Code = Literal["PRF-001", "PRF-002", "PRF-003", "PRF-004", "PRF-005"]
Figures = dict[str, float | str]


class Event(Record):
    """One event. `figures` holds numbers and short texts, each under a name with its unit.

    `run_id` and `lever` are left out of the bytes of an event that belongs to none.
    """

    code: Code
    level: Literal["info", "error"]
    message: str
    run_id: RunId | None = Field(default=None, exclude_if=lambda value: value is None)
    lever: str | None = Field(default=None, exclude_if=lambda value: value is None)
    time: str
    figures: Figures


def make_event(
    code: Code, figures: Figures, *, time: str, detail: str = "", run_id: str | None = None, lever: str | None = None
) -> Event:
    """The event with this code; `detail` follows the doctrine's words for it, `time` is in UTC."""
    told = _CODES[code]
    message = told.meaning + detail
    return Event(
        code=code, level=told.level, message=message, run_id=run_id, lever=lever, time=time, figures=figures
    )  # fmt: skip


class Sink(Protocol):
    """Where events go."""

    def emit(self, event: Event) -> None:
        """Take one event."""


class LineSink:
    """Collects events as the bytes of `events.jsonl`."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def emit(self, event: Event) -> None:
        """See `Sink.emit`."""
        self._lines.append(canonical_json(event.model_dump(mode="json")) + b"\n")

    def data(self) -> bytes:
        """All lines so far."""
        return b"".join(self._lines)


class LogSink:
    """Hands events to `logging`; the structured event travels along as the record's `prf_event`."""

    _LEVELS: Mapping[str, int] = {"info": logging.INFO, "error": logging.ERROR}

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("prfpipe.events")

    def emit(self, event: Event) -> None:
        """See `Sink.emit`."""
        figures = json.dumps(event.figures, sort_keys=True)
        self._logger.log(
            self._LEVELS[event.level],
            "%s %s: %s %s", event.code, event.lever or "project", event.message, figures,
            extra={"prf_event": event.model_dump(mode="json")},
        )  # fmt: skip


def emit_all(events: Iterable[Event], *sinks: Sink) -> None:
    """Give every event to every sink, in order."""
    for event in events:
        for sink in sinks:
            sink.emit(event)


def events_bytes(events: Iterable[Event]) -> bytes:
    """`events.jsonl`."""
    sink = LineSink()
    emit_all(events, sink)
    return sink.data()


def read_events(data: bytes) -> tuple[Event, ...]:
    """The events of an `events.jsonl`. Raises `BundleError`."""
    return tuple(layout.decode(Event, line, layout.EVENTS) for line in data.splitlines())


def events_for(plan: Plan, verdict: Verdict, missing: Missing, time: str) -> tuple[Event, ...]:
    """The events of a finished run, in the order of their codes.

    Args:
        plan: the run's plan.
        verdict: the run's verdict.
        missing: `layout.missing_files`: what each artifact lacks, nothing for a complete bundle.
        time: when the run was decided, UTC.
    """
    found = [
        *_compliance(verdict, missing),
        *_missing(missing),
        *_profiled(verdict, missing),
        *_guard(verdict, "p99", "violated", "PRF-004"),
        *_guard(verdict, "cold_start", "holds", "PRF-005"),
    ]
    return tuple(
        make_event(code, figures, time=time, detail=detail, run_id=plan.run_id, lever=plan.lever.id)
        for code, detail, figures in found
    )


_Found = Iterator[tuple[Code, str, Figures]]


def _compliance(verdict: Verdict, missing: Missing) -> _Found:
    # Compliance is one of the evidence: all artifacts are there. A p99 that stays undecided is told as such and breaks
    # no clause, but one that is known to be over its budget cannot stand beside "compliance verified".
    p99 = next((guard for guard in verdict.guards if guard.metric == "p99"), None)
    if not missing and (p99 is None or p99.state != "violated"):
        yield "PRF-001", "", {"verdict": verdict.verdict, "artifacts": float(len(ARTIFACTS))}


def _missing(missing: Missing) -> _Found:
    for artifact in sorted(missing):
        files = ", ".join(missing[artifact])
        yield "PRF-002", f": {artifact} {_TITLES[artifact]}", {"artifact": artifact, "files": files}


def _profiled(verdict: Verdict, missing: Missing) -> _Found:
    if missing.keys() & {"ART-02", "ART-03"}:
        return
    for result in verdict.scenarios:
        if result.primary:
            yield "PRF-003", "", {"scenario": result.scenario, "speedup": result.speedup.estimate}


def _guard(verdict: Verdict, metric: GuardMetric, state: str, code: Code) -> _Found:
    for guard in verdict.guards:
        if (guard.metric, guard.state) == (metric, state):
            yield code, "", _guard_figures(guard)


def _guard_figures(guard: GuardResult) -> Figures:
    figures: Figures = {"budget_percent": guard.max_regression_percent}
    if guard.worst_percent is not None:
        figures["worst_percent"] = guard.worst_percent
    return figures
