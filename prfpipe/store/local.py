"""Runs on this machine that are sealed: which of them are in a store, and how the others get there.

Beside a run's folder, `<run_id>.archived` notes the stores that took it. While a store answers, only what it has
counts; the notes tell what is not archived yet while it does not.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prfpipe.attest import read_statement
from prfpipe.bundle import RunFolder
from prfpipe.digests import canonical_json
from prfpipe.disk import AppendFile, disk_errors, read_regular
from prfpipe.errors import BundleError, InputError, ResumeError, StoreError
from prfpipe.layout import STATEMENT
from prfpipe.store.base import Store
from prfpipe.store.bundles.archiving import archive
from prfpipe.store.bundles.manifest import Progress, silent
from prfpipe.store.bundles.refs import BundleRef, ref_of

_NOTE_SUFFIX = ".archived"
_MAX_NOTE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A sealed run: what its bundle would be in the store, and its folder here."""

    ref: BundleRef
    folder: Path


def sealed_runs(runs: Path, store: Store, start: str = "") -> Iterator[LocalRun]:
    """The sealed runs in the folder `runs`, oldest first; ids sort after `start`. `store` is not asked anything."""
    with disk_errors(str(runs)):
        names = sorted(path.name for path in runs.iterdir()) if runs.is_dir() else []
    for name in names:
        try:
            ref = ref_of(store, name, None)
        except InputError:
            continue
        if name > start and (runs / name / STATEMENT).is_file():
            yield LocalRun(ref, runs / name)


def find_sealed(runs: Path, store: Store, run_id: str) -> LocalRun:
    """The sealed run with this id.

    Raises:
        InputError: it is no run id, or no run in this folder.
        ResumeError: it is not finished.
    """
    ref, folder = ref_of(store, run_id, None), runs / run_id
    if not folder.is_dir():
        raise InputError(f"no run {run_id} in {runs}", hint="`prfpipe bundles` lists what can be archived.")
    if not (folder / STATEMENT).is_file():
        raise ResumeError(
            f"run {run_id} is not finished",
            hint=f"Finish it first: prfpipe evaluate {ref.lever.upper()} --resume {run_id}",
        )
    return LocalRun(ref, folder)


def archive_sealed(store: Store, folder: RunFolder, progress: Progress = silent) -> str:
    """Put a sealed run into the store, and note that it is there; returns its URL. Doing it again completes it.

    Raises:
        TamperError: a file is not what its statement says.
        StoreError: the store failed; the run stays as it is.
    """
    statement = read_statement(folder.read(STATEMENT))
    predicate = statement.predicate
    try:
        url = archive(store, folder.path, predicate.lever, predicate.run_id, statement.files, progress)
    except StoreError as error:
        error.add_note(f"the bundle stays in {folder.path}; to archive it later: prfpipe archive {predicate.run_id}")
        raise
    _note(LocalRun(ref_of(store, predicate.run_id, None), folder.path), store)
    return url


def is_noted(run: LocalRun, store: Store) -> bool:
    """Whether this machine saw the store take the run."""
    try:
        with _folder(run.folder.parent) as root:
            notes = read_regular(root, run.folder.name + _NOTE_SUFFIX, limit=_MAX_NOTE_BYTES)
    except (OSError, BundleError):
        return False
    return _line(store) in notes.splitlines()


def _note(run: LocalRun, store: Store) -> None:
    if is_noted(run, store):
        return
    # The bundle is in the store, which is what counts: a full disk here must not make a failure of that.
    with suppress(OSError, BundleError), _folder(run.folder.parent) as root:
        notes = AppendFile(root, run.folder.name + _NOTE_SUFFIX)
        try:
            notes.append(_line(store))
        finally:
            notes.close()


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _line(store: Store) -> bytes:
    return canonical_json({"store": store.url()})
