"""Sample sets: one record a line, on the disk before the next one is measured, and read back strictly.

While a stage measures, lines go to a partial file with an fsync each. `finish` makes the compressed file,
whose digest stands from then on. What an interrupted stage left is kept under another name, never counted.
"""

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter

from prfpipe.bundle import RunFolder
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, TamperError
from prfpipe.layout import PARTIAL_SUFFIX, SAMPLES, interrupted_samples, line_of, read_line
from prfpipe.models import Invocation, Record, SampleSet, Schedule

MAX_SAMPLE_BYTES = 256 * 1024 * 1024
_LEVEL = 6
_HINT = "Samples do not change after they were recorded: fetch the bundle again, or evaluate again."


class SampleHeader(Record):
    """First line of a sample set; `interrupted` says how a set that does not count came to its end."""

    kind: Literal["samples"] = "samples"
    format: Literal["prfpipe/samples/v1"] = "prfpipe/samples/v1"
    stage: Stage
    interrupted: str = ""


Line = Annotated[SampleHeader | Schedule | Invocation, Field(discriminator="kind")]
_LINE: TypeAdapter[SampleHeader | Schedule | Invocation] = TypeAdapter(Line)


class SampleWriter:
    """Records the samples of one stage; a context manager. Each `append` is durable when it returns."""

    def __init__(self, folder: RunFolder, stage: str) -> None:
        """Start a new sample set; a leftover of an interrupted one is kept beside it.

        Raises:
            BundleError: the stage's samples are finished already, or the disk refused.
        """
        self._stage, self._folder = Stage(stage), folder
        self._name = SAMPLES[self._stage]
        if folder.has(self._name):
            raise BundleError(f"{self._name} is finished already", hint="A re-run makes a new run.")
        keep_interrupted(folder, self._stage)
        self._file = folder.append_to(self._name + PARTIAL_SUFFIX)
        self._file.append(line_of(SampleHeader(stage=self._stage)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, record: Schedule | Invocation) -> None:
        """Record a scenario's schedule or one invocation, durably. Raises `BundleError`."""
        self._file.append(line_of(record))

    def finish(self) -> Path:
        """Fix the set: write the compressed file (the same bytes for the same samples), drop the partial one.

        Raises:
            BundleError: the disk refused (the partial file is still there), or the records are out of order.
        """
        self._file.close()
        partial = self._name + PARTIAL_SUFFIX
        data = self._folder.read(partial)
        _parse(data, partial)
        self._folder.write(self._name, _compress(data))
        self._folder.remove(partial)
        return self._folder.path / self._name


def keep_interrupted(folder: RunFolder, stage: Stage) -> str | None:
    """Keep the partial file of an interrupted stage as `samples-interrupted-N.jsonl.gz`; returns that name.

    A torn last line, which was never promised to be recorded, is cut, and the header says so.
    """
    partial = SAMPLES[stage] + PARTIAL_SUFFIX
    if not folder.has(partial):
        return None
    whole, _, torn = folder.read(partial).rpartition(b"\n")
    lines = whole.split(b"\n")[1:] if whole else []
    note = "interrupted" + (f"; {len(torn)} bytes of an unfinished last line cut" if torn else "")
    header = line_of(SampleHeader(stage=stage, interrupted=note))
    name = free_interrupted_name(folder, stage)
    folder.write(name, _compress(b"\n".join([header, *lines]) + b"\n"))
    folder.remove(partial)
    return name


def free_interrupted_name(folder: RunFolder, stage: Stage) -> str:
    """The next name for an interrupted sample set."""
    number = 1
    while folder.has(interrupted_samples(stage, number)):
        number += 1
    return interrupted_samples(stage, number)


def read_samples(data: bytes, source: str, stage: str | None = None) -> SampleSet:
    """The sample set that a compressed file holds.

    Args:
        data: the file's bytes.
        source: what error messages call it.
        stage: refuse samples of another stage, if given.

    Raises:
        TamperError: it is not whole, too large, not in canonical form, or records are out of order; the
            message names the line.
    """
    header, samples = _parse(_decompress(data, source), source)
    if header.interrupted:
        raise _problem(source, 1, f"this set does not count: {header.interrupted}")
    if stage is not None and header.stage != stage:
        raise _problem(source, 1, f"these are samples of stage {header.stage}, not {stage}")
    return samples


def _compress(data: bytes) -> bytes:
    return gzip.compress(data, _LEVEL, mtime=0)


def _decompress(data: bytes, source: str) -> bytes:
    """Exactly one gzip member and at most `MAX_SAMPLE_BYTES`: a bomb is refused before it is unpacked."""
    decoder = zlib.decompressobj(wbits=31)
    try:
        text = decoder.decompress(data, MAX_SAMPLE_BYTES)
    except zlib.error as error:
        raise TamperError(f"{source}: not a gzip file: {error}", hint=_HINT) from error
    if decoder.unconsumed_tail:
        raise TamperError(f"{source}: more than {MAX_SAMPLE_BYTES} bytes of samples", hint=_HINT)
    if not decoder.eof or decoder.unused_data:
        raise TamperError(f"{source}: cut off, or something follows the samples", hint=_HINT)
    return text


def _parse(text: bytes, source: str) -> tuple[SampleHeader, SampleSet]:
    lines = text.split(b"\n")
    if lines.pop() != b"":
        raise _problem(source, len(lines) + 1, "the last line is not finished")
    records = [_read_line(line, number, source) for number, line in enumerate(lines, 1)]
    if not records or not isinstance(records[0], SampleHeader):
        raise _problem(source, 1, "the header is missing")
    return records[0], _in_order(records[1:], source)


def _read_line(line: bytes, number: int, source: str) -> SampleHeader | Schedule | Invocation:
    try:
        return read_line(_LINE.validate_json, line)
    except ValueError as error:
        raise _problem(source, number, str(error)) from error


def _in_order(records: Iterable[SampleHeader | Schedule | Invocation], source: str) -> SampleSet:
    schedules: dict[str, Schedule] = {}
    invocations: list[Invocation] = []
    last: dict[str, Invocation] = {}
    for number, record in enumerate(records, 2):
        match record:
            case SampleHeader():
                raise _problem(source, number, "a second header")
            case Schedule(scenario=name):
                if name in schedules:
                    raise _problem(source, number, f"a second schedule for {name!a}")
                schedules[name] = record
            case Invocation(scenario=name):
                if problem := _order_problem(record, last.get(name), schedules.get(name)):
                    raise _problem(source, number, f"{name!a}: {problem}")
                last[name] = record
                invocations.append(record)
    return SampleSet(schedules=tuple(schedules.values()), invocations=tuple(invocations))


def _order_problem(found: Invocation, before: Invocation | None, schedule: Schedule | None) -> str | None:
    expected = before.index + 1 if before else 0
    if schedule is None:
        return "an invocation before its schedule"
    if found.index != expected:
        return f"invocation {found.index} where {expected} belongs: dropped, repeated or reordered"
    if found.elapsed_ns <= (before.elapsed_ns if before else 0):
        return f"invocation {found.index} ends before the one that it follows"
    return None if found.excluded is not None else _shape_problem(found, schedule)


def _shape_problem(found: Invocation, schedule: Schedule) -> str | None:
    if not found.arms or sorted(found.order) != sorted(found.arms):
        return f"invocation {found.index}: its order {found.order} does not name its arms once each"
    for arm, samples in found.arms.items():
        shape = (len(samples.samples_ns), len(samples.wall_ns), len(samples.cpu_ns))
        if shape != (schedule.block * schedule.rounds, schedule.rounds, schedule.rounds):
            return f"invocation {found.index}: {arm} has {shape} samples and blocks, not what the schedule says"
    return None


def _problem(source: str, line: int, what: str) -> TamperError:
    return TamperError(f"{source}, line {line}: {what}", hint=_HINT)
