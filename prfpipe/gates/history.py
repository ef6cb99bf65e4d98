"""Earlier runs of a gate on this machine: what the sparkline shows. A run that is not whole is left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prfpipe.bundle import read_tree
from prfpipe.digests import sha256_hex
from prfpipe.errors import BundleError, PrfpipeError, TamperError
from prfpipe.layout import decode
from prfpipe.models import FileDigest, GateReport, Record

REPORT, DIGESTS = "report.json", "digests.json"
MOST = 20
_HINT = "Move the folder away: the history then begins without it."


class GateDigests(Record):
    """`digests.json`: every other file of a run's folder; written last, so that a run without it is not finished."""

    format: Literal["prfpipe/gate-digests/v1"] = "prfpipe/gate-digests/v1"
    files: dict[str, FileDigest]


@dataclass(frozen=True)
class Point:
    """One run's figure of a subject: its p99 in ms or its overhead in percent, and how the check ended."""

    run_id: str
    value: float
    state: str


def past_runs(parent: Path, report: GateReport, most: int = MOST) -> tuple[GateReport, ...]:
    """The last finished runs of the same gate, profile and program on a machine of this name, oldest first."""
    found: list[GateReport] = []
    folders = sorted((path for path in (parent / report.id).glob("*") if path.is_dir()), reverse=True)
    for folder in folders:
        past = _read(folder)
        if past and past.run_id != report.run_id and _comparable(past, report):
            found.append(past)
        if len(found) == most:
            break
    return tuple(reversed(found))


def _comparable(past: GateReport, report: GateReport) -> bool:
    return (past.profile, past.program, past.host.name) == (report.profile, report.program, report.host.name)


def series(runs: tuple[GateReport, ...], subject: str) -> tuple[Point, ...]:
    """A subject's figures over runs, in their order; runs that did not measure it are left out."""
    return tuple(_points(runs, subject))


def _points(runs: tuple[GateReport, ...], subject: str) -> Iterator[Point]:
    for run in runs:
        for check in run.checks:
            if check.subject == subject:
                yield Point(run.run_id, check.value, check.state)


def _read(folder: Path) -> GateReport | None:
    try:
        return read_report(folder)
    except PrfpipeError:
        return None


def read_report(folder: Path) -> GateReport:
    """The report of a finished run, every file of the folder checked against its digest.

    Raises:
        BundleError: the run is not finished or its report is not one.
        TamperError: a file is not what it was when the run ended.
    """
    files = read_tree(folder)
    if DIGESTS not in files or REPORT not in files:
        raise BundleError(f"{folder} is not a finished run of a gate", hint=_HINT)
    listed = decode(GateDigests, files.pop(DIGESTS), DIGESTS).files
    if listed != {name: digest_of(data) for name, data in files.items()}:
        raise TamperError(f"{folder}: a file is not what it was when the run ended", hint=_HINT)
    return decode(GateReport, files[REPORT], REPORT)


def digest_of(data: bytes) -> FileDigest:
    """Digest and size of a file's bytes."""
    return FileDigest(sha256=sha256_hex(data), size=len(data))
