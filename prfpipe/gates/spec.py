"""gate.yaml -> Gate, strictly: every error names the file, the line and what was expected."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prfpipe.errors import GateError, LeverError
from prfpipe.gates import ledger
from prfpipe.lever.checks import Problem, is_inside
from prfpipe.lever.shape import REQUIREMENT
from prfpipe.lever.text import FILE_NAME as LEVER_FILE
from prfpipe.lever.text import Lines, line_of, read_yaml
from prfpipe.models import GATE_IDS, CommandSubject, GateSpec, LeverSubject, PythonSubject

FILE_NAME = ledger.FILE_NAME
HINT = "docs/gates.md describes each key of a gate.yaml."
# Where one of several kinds may stand, an error's location names the kind that was tried.
_KINDS = {"PythonSubject": "python", "CommandSubject": "command", "LeverSubject": "lever"}


@dataclass(frozen=True)
class Gate:
    """A gate's folder that can be run."""

    spec: GateSpec
    root: Path


def load_gate(folder: Path) -> Gate:
    """Read and check a gate's folder, its ledger included; the folder may lie anywhere.

    Raises:
        GateError: with `file:line: what is wrong`, for the first thing that is.
    """
    path = folder / FILE_NAME
    spec, lines = read_spec(path)
    for where, message in _problems(spec, folder):
        raise GateError(f"{path}:{line_of(where, lines)}: {message}", hint=HINT)
    return Gate(spec, folder.resolve())


def read_spec(path: Path) -> tuple[GateSpec, Lines]:
    """A gate.yaml whose keys are as they must be, and their lines; whether they fit together is not looked at.

    Raises:
        GateError: as `load_gate` does.
    """
    data, lines = _read(path)
    return _to_spec(data, lines, path), lines


def _read(path: Path) -> tuple[Any, Lines]:
    try:
        return read_yaml(path)
    except LeverError as error:
        raise GateError(error.message, hint=HINT) from error


def find_gate(name: str, gates: Path) -> Gate:
    """A gate by its id under `gates`, or by the path of its folder; no folder can stand in for an id.

    Raises:
        GateError: there is none; the message lists those that there are.
    """
    if name not in GATE_IDS and os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return load_gate(Path(name))
    known: dict[str, Gate] = {gate.spec.id: gate for gate in list_gates(gates)}
    if name in known:
        return known[name]
    raise GateError(
        f"no gate {name!r}: {gates} has {', '.join(known) or 'none'}, and no such folder exists",
        hint="Give PRF-01, PRF-02, PRF-03, PRF-04 or `all`; PRFPIPE_GATES names the folder of the gates.",
    )


def list_gates(gates: Path) -> list[Gate]:
    """Every gate directly under `gates`, by id.

    Raises:
        GateError: one of them is not valid, or two have the same id.
    """
    found = sorted((load_gate(path.parent) for path in gates.glob(f"*/{FILE_NAME}")), key=lambda item: item.spec.id)
    for one, other in pairwise(found):
        if one.spec.id == other.spec.id:
            raise GateError(f"{one.root} and {other.root} are both {one.spec.id}", hint="One folder for each gate.")
    return found


def subject_file(gate: Gate) -> Path | None:
    """The file of a gate's subject; None where it is a command."""
    match gate.spec.subject:
        case PythonSubject(python=name) | LeverSubject(lever=name):
            return gate.root / name
        case _:
            return None


def _to_spec(data: Any, lines: Lines, path: Path) -> GateSpec:
    if not isinstance(data, dict):
        raise GateError(f"{path}:1: expected a mapping of keys, found {type(data).__name__}", hint=HINT)
    try:
        # JSON mode: lists become tuples and words become enums, everything else stays strict.
        return GateSpec.model_validate_json(json.dumps(data, allow_nan=False))
    except ValidationError as error:
        first = next(item for item in error.errors() if not _is_of_other_kind(item["loc"], data))
        where = tuple(part for part in first["loc"] if part not in _KINDS)
        name = ".".join(str(part) for part in where) or FILE_NAME
        raise GateError(f"{path}:{line_of(where, lines)}: {name}: {first['msg']}", hint=HINT) from error


def _is_of_other_kind(loc: Sequence[str | int], data: dict[str, Any]) -> bool:
    """Whether an error comes from trying the subject as a kind that it is not written as."""
    if loc[:1] != ("subject",) or len(loc) < 2 or loc[1] not in _KINDS:
        return False
    written = data["subject"]
    keys = [key for key in _KINDS.values() if isinstance(written, dict) and key in written] or ["python"]
    return _KINDS[str(loc[1])] != keys[0]


def _problems(spec: GateSpec, folder: Path) -> Iterator[Problem]:
    yield from _subject(spec)
    yield from _requirements(spec)
    yield from ledger.problems(spec, _beside(spec, folder))


def _beside(spec: GateSpec, folder: Path) -> dict[str, str]:
    """The digest of a lever's lever.yaml, which has the loads and margins that PRF-03 measures by."""
    match spec.subject:
        case LeverSubject(lever=name) if (folder / name).is_file():
            return {name: ledger.digest_of(_read(folder / name)[0])}
        case _:
            return {}


def _subject(spec: GateSpec) -> Iterator[Problem]:
    match spec.subject:
        case PythonSubject(python=name) | LeverSubject(lever=name):
            # Whether the file is there is for the run to see: a subject that is missing is not bad input.
            if not is_inside(name):
                yield ("subject",), f"subject: {name!r} must be a path inside the gate's folder"
            elif isinstance(spec.subject, LeverSubject) and Path(name).name != LEVER_FILE:
                # It is the one that is read there, so it has to be the one that the ledger names.
                yield ("subject", "lever"), f"subject.lever: {name!r} must be a {LEVER_FILE}"
        case CommandSubject(command=words):
            if not words[0] or "\0" in "".join(words):
                yield ("subject", "command"), "subject.command: the first word is empty, or a word holds NUL"


def _requirements(spec: GateSpec) -> Iterator[Problem]:
    for i, requirement in enumerate(spec.requires):
        if not re.fullmatch(REQUIREMENT, requirement):
            yield ("requires", i), f"requires: {requirement!r}: use NAME or NAME==VERSION"
