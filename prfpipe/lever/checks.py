"""What must hold over several keys of a lever.yaml, and between it and the files of its folder."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from prfpipe.errors import LeverError
from prfpipe.layout import optimized_files
from prfpipe.lever.shape import NAME, REQUIREMENT
from prfpipe.lever.text import HINT, Lines, Where, line_of
from prfpipe.models import CommandVariant, Effort, LeverSpec, PythonVariant

Problem = tuple[Where, str]
"""The keys that lead to what is wrong, and what is."""

_NAME_WORDS = "use a-z, 0-9, '-', '.', '_'"
_SIDES = ("baseline", "candidate")


def check(spec: LeverSpec, lines: Lines, path: Path) -> None:
    """Refuse a spec whose parts do not fit together.

    Raises:
        LeverError: with `file:line: what is wrong`, for the first thing that is.
    """
    for where, message in _problems(spec, path.parent):
        raise LeverError(f"{path}:{line_of(where, lines)}: {message}", hint=HINT)


def _problems(spec: LeverSpec, folder: Path) -> Iterator[Problem]:
    yield from _scenarios(spec)
    yield from _range(spec)
    yield from _strata(spec)
    yield from _mutants(spec)
    yield from _files(spec, folder)
    yield from _requirements(spec)
    yield from _commands(spec)


def _scenarios(spec: LeverSpec) -> Iterator[Problem]:
    primaries = [scenario.name for scenario in spec.scenarios if scenario.primary]
    if len(primaries) != 1:
        yield ("scenarios",), f"scenarios: exactly one must be `primary: true`, found {primaries}"
    for scenario in spec.scenarios:
        if not re.fullmatch(NAME, scenario.name):
            yield ("scenarios", scenario.name), f"scenario name {scenario.name!r}: {_NAME_WORDS}"


def _range(spec: LeverSpec) -> Iterator[Problem]:
    low, high = spec.expected_speedup
    if not 1 <= low <= high:
        yield ("expected_speedup",), "expected_speedup: expected [low, high] with 1 <= low <= high"


def _strata(spec: LeverSpec) -> Iterator[Problem]:
    names = [scenario.name for scenario in spec.scenarios]
    listed = () if spec.must_hold == "all" else spec.must_hold
    for at, name in enumerate(listed):
        if name not in names:
            yield ("must_hold", at), f"must_hold: {name!r} is not a scenario; there are {', '.join(names)}"
        if name in listed[:at]:
            yield ("must_hold", at), f"must_hold: {name!r} stands twice"
    for scenario in spec.scenarios:
        if scenario.name in spec.strata and scenario.from_effort is not Effort.QUICK:
            message = "a scenario in must_hold is measured at every effort: leave from_effort out"
            yield ("scenarios", scenario.name, "from_effort"), f"scenarios.{scenario.name}.from_effort: {message}"


def _mutants(spec: LeverSpec) -> Iterator[Problem]:
    if spec.mutants and not isinstance(spec.variants.candidate, PythonVariant):
        yield ("mutants",), "mutants: one is a Python file in the candidate's place, and the candidate is a command"
    own = _own_files(spec)
    for mutant in spec.mutants:
        if not re.fullmatch(NAME, mutant.name):
            yield ("mutants", mutant.name), f"mutant name {mutant.name!r}: {_NAME_WORDS}"
        if PurePosixPath(mutant.python).as_posix() in own:
            where = ("mutants", mutant.name, "python")
            yield where, f"mutants.{mutant.name}.python: {mutant.python} is a part of the lever, not a bug"


def _own_files(spec: LeverSpec) -> frozenset[str]:
    variants = (getattr(spec.variants, side) for side in _SIDES)
    entries = [spec.workload, *(each.python for each in variants if isinstance(each, PythonVariant))]
    return optimized_files(spec) | {PurePosixPath(name).as_posix() for name in entries}


def _files(spec: LeverSpec, folder: Path) -> Iterator[Problem]:
    for where, name in _named_files(spec):
        if problem := file_problem(folder, name):
            yield where, problem


def file_problem(folder: Path, name: str, owner: str = "lever") -> str | None:
    """Why a name is not that of a plain file inside its owner's folder; None if it is."""
    if not is_inside(name):
        return f"{name!r} must be a path inside the {owner} folder"
    if not _is_plain_file(folder, PurePosixPath(name)):
        return f"{name} is not a file in {folder} (links do not count)"
    return None


def is_inside(name: str) -> bool:
    """Whether a name in a spec is a relative path that cannot leave its folder."""
    pure = PurePosixPath(name)
    return not (pure.is_absolute() or ".." in pure.parts or "\\" in name or not name.isprintable())


def _is_plain_file(root: Path, name: PurePosixPath) -> bool:
    try:
        # Equal only if no part of the name is a link.
        return (root / name).is_file() and (root / name).resolve() == root.resolve() / name
    except OSError:
        return False


def _named_files(spec: LeverSpec) -> Iterator[tuple[Where, str]]:
    yield ("workload",), spec.workload
    for i, name in enumerate(spec.optimized_path):
        yield ("optimized_path", i), name
    for i, target in enumerate(spec.targets):
        yield ("targets", i), target.split(":", 1)[0]
    for i, exclusion in enumerate(spec.coverage_exclusions):
        yield ("coverage_exclusions", i, "file"), exclusion.file
    for side in _SIDES:
        variant = getattr(spec.variants, side)
        if isinstance(variant, PythonVariant):
            yield ("variants", side, "python"), variant.python
    for mutant in spec.mutants:
        yield ("mutants", mutant.name, "python"), mutant.python


def _requirements(spec: LeverSpec) -> Iterator[Problem]:
    for i, requirement in enumerate(spec.requires):
        if not re.fullmatch(REQUIREMENT, requirement):
            yield ("requires", i), f"requires: {requirement!r}: use NAME or NAME==VERSION"


def _commands(spec: LeverSpec) -> Iterator[Problem]:
    for side in _SIDES:
        variant = getattr(spec.variants, side)
        if isinstance(variant, CommandVariant) and (not variant.command[0] or "\0" in "".join(variant.command)):
            yield ("variants", side, "command"), f"variants.{side}.command: a word is empty or holds NUL"
