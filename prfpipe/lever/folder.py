"""Lever folders: read one, find one by its id, list all, and see that one can run here."""

import os
import shlex
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path

from prfpipe.errors import LeverError
from prfpipe.lever.checks import check
from prfpipe.lever.shape import to_spec
from prfpipe.lever.text import FILE_NAME, read_yaml
from prfpipe.models import LeverSpec


@dataclass(frozen=True)
class Lever:
    """A lever folder that can be evaluated."""

    spec: LeverSpec
    root: Path


def load_lever(folder: Path) -> Lever:
    """Read and check a lever folder; the folder may lie anywhere.

    Raises:
        LeverError: with `file:line: what is wrong`, for the first thing that is.
    """
    path = folder / FILE_NAME
    data, lines = read_yaml(path)
    spec = to_spec(data, lines, path)
    check(spec, lines, path)
    return Lever(spec, folder.resolve())


def find_lever(name: str, levers: Path) -> Lever:
    """A lever by its id under `levers`, or by the path of its folder.

    Raises:
        LeverError: there is none; the message lists those that there are.
    """
    if os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return load_lever(Path(name))
    known = {lever.spec.id: lever for lever in list_levers(levers)}
    if name in known:
        return known[name]
    raise LeverError(
        f"no lever {name!r}: {levers} has {', '.join(known) or 'none'}, and no such folder exists",
        hint="Give an id from `prfpipe levers` or the path of a folder with a lever.yaml.",
    )


def list_levers(levers: Path) -> list[Lever]:
    """Every lever folder directly under `levers`, by id.

    Raises:
        LeverError: one of them is not valid, or two have the same id.
    """
    found = sorted((load_lever(path.parent) for path in levers.glob(f"*/{FILE_NAME}")), key=lambda item: item.spec.id)
    for one, other in pairwise(found):
        if one.spec.id == other.spec.id:
            raise LeverError(f"{one.root} and {other.root} are both {one.spec.id}", hint="Give one another id.")
    return found


def check_requirements(lever: Lever) -> None:
    """Refuse before anything is started when a distribution of `requires` is not installed.

    Raises:
        LeverError: it names all that are missing and how to install them.
    """
    missing = [requirement for requirement in lever.spec.requires if not is_installed(requirement)]
    if missing:
        raise LeverError(
            f"{lever.spec.id} needs {', '.join(missing)}, which is not installed here",
            hint=f"python -m pip install {shlex.join([*_options(lever), *missing])}",
        )


def _options(lever: Lever) -> list[str]:
    """A list in which every version is exact is complete, as a lock is: nothing else is to be installed.

    Without it pip also builds what an engine asks for and the lever never uses, and may fail at that: pythonmonkey
    wants pminit, which runs npm while it is installed.
    """
    return ["--no-deps"] if all("==" in requirement for requirement in lever.spec.requires) else []


def is_installed(requirement: str) -> bool:
    """Whether the distribution of `NAME` or `NAME==VERSION` is installed here."""
    name, _, version = requirement.partition("==")
    try:
        found = distribution(name.partition("[")[0]).version
    except PackageNotFoundError:
        return False
    return not version or found == version
