"""Which bundle: run ids, and the keys that they give."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from prfpipe.errors import InputError
from prfpipe.layout import STATEMENT
from prfpipe.store.base import Store

ROOT = "evidence/v1"
STAMP = "%Y%m%dT%H%M%SZ"

_RUN_ID = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([a-z0-9][a-z0-9-]{0,60})-[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BundleRef:
    """A bundle in a store: its lever (in lower case, as in keys), its run id and a URL for people."""

    lever: str
    run_id: str
    url: str

    @property
    def started(self) -> datetime:
        """When the run began, in UTC, as its id says."""
        return started(self.run_id)


def is_run_id(text: str) -> bool:
    """Whether a run can have this id."""
    match = _RUN_ID.fullmatch(text)
    return match is not None and _is_stamp(match[1])


def ref_of(store: Store, run_id: str, lever: str | None) -> BundleRef:
    """The bundle that a run id names, whether or not the store has it.

    Raises:
        InputError: it is no run id, or one of another lever.
    """
    match = _RUN_ID.fullmatch(run_id)
    if not match or not _is_stamp(match[1]):
        raise InputError(
            f"{run_id[:80]!a} is not a run id",
            hint="A run id looks like 20261123T081500Z-lev-01-3f9c2a7b; `prfpipe bundles` lists them.",
        )
    if lever is not None and lever.lower() != match[2]:
        raise InputError(
            f"run {run_id} is not one of lever {lever[:80]!a}",
            hint="Leave the lever out, or name the run's own.",
        )
    return BundleRef(match[2], run_id, store.url(f"{ROOT}/{match[2]}/{run_id}"))


def committed(store: Store, key: str) -> BundleRef | None:
    """The bundle that this key commits; None for every other object, also a misplaced statement."""
    folder, _, name = key.rpartition("/")
    lever, _, run_id = folder.removeprefix(f"{ROOT}/").partition("/")
    if name != STATEMENT:
        return None
    try:
        return ref_of(store, run_id, lever)
    except InputError:
        return None


def key(ref: BundleRef, name: str) -> str:
    """The key of a bundle's file."""
    return f"{ROOT}/{ref.lever}/{ref.run_id}/{name}"


def _is_stamp(text: str) -> bool:
    try:
        datetime.strptime(text, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def started(run_id: str) -> datetime:
    """When a run began, in UTC, as its id says."""
    return datetime.strptime(run_id.partition("-")[0], STAMP).replace(tzinfo=UTC)
