"""The journal of a run's steps: the truth after a crash.

`runlog.jsonl` has a line when a stage starts, finishes or fails. A finished line names every file that the
stage left, with its digest, and each line holds the sha256 of the line before it (of the run's id, for the
first), so that lines cannot be dropped, reordered, or taken from another run.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from prfpipe.bundle import RunFolder
from prfpipe.digests import sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, TamperError
from prfpipe.layout import LOG_PARTIAL, RUNLOG, SAMPLES, STATEMENT, line_of, read_line
from prfpipe.models import FileDigest, Record, Sha256
from prfpipe.samples import free_interrupted_name, keep_interrupted

_HINT = "The journal was changed after it was written: start a new run."
_NEVER_CLAIMED = {RUNLOG, STATEMENT, LOG_PARTIAL}


class Step(Record):
    """One line of the journal."""

    seq: int = Field(ge=0)
    previous: Sha256
    stage: Stage
    status: Literal["started", "finished", "failed"]
    time: str
    files: dict[str, FileDigest] = Field(default_factory=dict)
    note: str = ""


def utc_now() -> str:
    """The wall clock in UTC, to the millisecond: `2026-11-23T08:15:00.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RunLog:
    """The journal of the run in `folder`; opening it brings the folder back to its last finished step.

    Files of a step that did not finish are removed, except samples, which are kept as interrupted ones.
    """

    def __init__(self, folder: RunFolder, run_id: str, clock: Callable[[], str] = utc_now) -> None:
        """Open or start the journal.

        Raises:
            TamperError: the journal is damaged (an unfinished last line is not damage: it is cut).
            BundleError: the disk refused.
        """
        self._folder, self._clock = folder, clock
        text = folder.read(RUNLOG) if folder.has(RUNLOG) else b""
        whole = text[: text.rfind(b"\n") + 1]
        self._steps = list(read_steps(whole, run_id))
        self._last = sha256_hex(line_of(self._steps[-1]) if self._steps else run_id.encode())
        self._file = None if folder.sealed else folder.append_to(RUNLOG)
        if self._file:
            self._file.cut(len(whole))
            self._recover()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps so far."""
        return tuple(self._steps)

    def started(self, stage: str) -> None:
        """Note that a stage begins. Raises `BundleError`."""
        self._append(Stage(stage), "started", {})

    def finished(self, stage: str) -> None:
        """Note that a stage is done, with the digests of all files that no earlier stage claimed.

        Raises:
            BundleError: the disk refused; the stage then counts as not finished.
        """
        known = claims(self._steps).keys() | _NEVER_CLAIMED
        left = {name: digest for name, digest in self._folder.files().items() if name not in known}
        self._append(Stage(stage), "finished", left)

    def failed(self, stage: str, note: str) -> None:
        """Note that a stage failed, and why. Raises `BundleError`."""
        self._append(Stage(stage), "failed", {}, note)

    def finished_stages(self) -> tuple[Stage, ...]:
        """The stages that need not run again.

        Raises:
            TamperError: a file of a finished stage is missing or is not what it was.
        """
        have = self._folder.files()
        for name, digest in claims(self._steps).items():
            if have.get(name) != digest:
                raise TamperError(f"{name} is missing, or is not what its stage left", hint=_HINT)
        return tuple(step.stage for step in self._steps if step.status == "finished")

    def close(self) -> None:
        """Close the journal's file."""
        if self._file:
            self._file.close()

    def _append(
        self,
        stage: Stage,
        status: Literal["started", "finished", "failed"],
        files: dict[str, FileDigest],
        note: str = "",
    ) -> None:
        if self._file is None or self._folder.sealed:
            raise BundleError(f"{stage}: the run is sealed", hint="Evidence does not change: start a new run.")
        step = Step(
            seq=len(self._steps),
            previous=self._last,
            stage=stage,
            status=status,
            time=self._clock(),
            files=files,
            note=note,
        )
        line = line_of(step)
        self._file.append(line)
        self._steps.append(step)
        self._last = sha256_hex(line)

    def _recover(self) -> None:
        for stage in SAMPLES:
            keep_interrupted(self._folder, stage)
        kept = claims(self._steps).keys() | _NEVER_CLAIMED
        for name in self._folder.files().keys() - kept:
            stages = [stage for stage, samples in SAMPLES.items() if samples == name]
            if stages:
                self._folder.rename(name, free_interrupted_name(self._folder, stages[0]))
            elif "samples-interrupted-" not in name:
                self._folder.remove(name)


def claims(steps: list[Step] | tuple[Step, ...]) -> dict[str, FileDigest]:
    """Every file that a finished stage left, by name."""
    return {name: digest for step in steps if step.status == "finished" for name, digest in step.files.items()}


def read_steps(text: bytes, run_id: str, source: str = RUNLOG) -> tuple[Step, ...]:
    """The steps of a journal.

    Raises:
        TamperError: a line is unfinished, malformed, out of the chain or of another run, a stage is finished
            twice or too early, or two stages claim the same file; the message names the line.
    """
    lines = text.split(b"\n")
    if lines.pop() != b"":
        raise _problem(source, len(lines) + 1, "the last line is not finished")
    previous, steps = sha256_hex(run_id.encode()), list[Step]()
    for number, line in enumerate(lines, 1):
        step = _read_line(line, number, source)
        if (step.seq, step.previous) != (number - 1, previous):
            raise _problem(source, number, "does not follow the line before it, or is of another run")
        if problem := _step_problem(step, steps):
            raise _problem(source, number, problem)
        steps.append(step)
        previous = sha256_hex(line)
    return tuple(steps)


def _read_line(line: bytes, number: int, source: str) -> Step:
    try:
        return read_line(Step.model_validate_json, line)
    except ValueError as error:
        raise _problem(source, number, str(error)) from error


def _step_problem(step: Step, before: list[Step]) -> str | None:
    done = [earlier.stage for earlier in before if earlier.status == "finished"]
    if done and step.stage.rank <= done[-1].rank:
        return f"stage {step.stage} after stage {done[-1]} was finished"
    if step.status != "started" and (not before or before[-1].stage != step.stage or before[-1].status != "started"):
        return f"stage {step.stage} {step.status} without having been started"
    if twice := claims(before).keys() & step.files.keys():
        return f"{min(twice)} was left by an earlier stage already"
    return None


def _problem(source: str, line: int, what: str) -> TamperError:
    return TamperError(f"{source}, line {line}: {what}", hint=_HINT)
