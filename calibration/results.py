"""The results of a session as lines of JSON: each is on the disk before the next comparison starts."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from calibration.experiments import Call, Tool
from prfpipe.disk import AppendFile
from prfpipe.errors import BundleError, InputError
from prfpipe.models import Record, Sha256

_HINT = "Move the file away to start a new session, or give another one with --results."


class Session(Record):
    """What holds for all comparisons of a file.

    `budget` is the factor on the wall times; `code` is the digest of what measures and decides.
    """

    kind: Literal["session"] = "session"
    seed: int
    budget: float
    started_at: str
    machine: dict[str, str | int]
    commit: str
    code: Sha256


class Tuning(Record):
    """What a tool needs to fill a given time on this machine, measured once a session."""

    kind: Literal["tuning"] = "tuning"
    tool: Tool
    version: str
    values: dict[str, float]


class Comparison(Record):
    """What one tool said about one pair; times are changes of the candidate against the baseline, in percent.

    `true_percent` is the change that the tool was shown: hyperfine's commands hold a start-up that does not change.
    """

    kind: Literal["comparison"] = "comparison"
    experiment: str
    tool: Tool
    index: int
    started_at: str
    wall_s: float
    change_percent: float
    true_percent: float
    call: Call
    load_1min: float
    details: dict[str, float | int | str | None]


class Attribution(Record):
    """Where the variance comes from under one condition; see `calibration.attribution`."""

    kind: Literal["attribution"] = "attribution"
    condition: str
    invocations: int
    invocation_ms: float
    spawn_ms: float
    sd_percent: float
    between_share: float
    between_low: float
    between_high: float


class Results(Record):
    """All that a file holds."""

    session: Session | None = None
    tunings: dict[Tool, Tuning] = Field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    attributions: tuple[Attribution, ...] = ()


_KINDS: dict[str, type[Record]] = {
    "session": Session,
    "tuning": Tuning,
    "comparison": Comparison,
    "attribution": Attribution,
}


def read(path: Path) -> Results:
    """The results so far; none if there is no file. An unfinished last line (a crash) does not count.

    Raises:
        InputError: the file is something else.
    """
    records: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            kind, record = _parse(line)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}:{number}: not a line of calibration results", hint=_HINT) from error
        records[kind].append(record)
    # The last attribution of a condition is the one that counts.
    newest = {item.condition: item for item in records["attribution"]}
    return Results(
        session=next(iter(records["session"]), None),
        tunings={item.tool: item for item in records["tuning"]},
        comparisons=tuple(records["comparison"]),
        attributions=tuple(newest.values()),
    )


def _parse(line: bytes) -> tuple[str, Record]:
    kind = json.loads(line)["kind"]
    return kind, _KINDS[kind].model_validate_json(line)


def _whole_lines(path: Path) -> list[bytes]:
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1].splitlines()


@contextmanager
def appending(path: Path) -> Iterator[AppendFile]:
    """The file, ready for whole lines; what a crash left unfinished is cut off.

    Raises:
        BundleError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}", hint="Give another file with --results.") from error
    try:
        file = AppendFile(folder, path.name)
        try:
            file.cut(sum(len(line) + 1 for line in _whole_lines(path)))
            yield file
        finally:
            file.close()
    finally:
        os.close(folder)


def line_of(record: Record) -> bytes:
    """A record as it stands in the file."""
    return record.model_dump_json().encode()
