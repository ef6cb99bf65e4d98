"""Bundles in a store: `evidence/v1/<lever>/<run_id>/<file>`, committed by their statement, which goes last.

A bundle exists if and only if its statement does. What an interrupted archive left behind is invisible, and
archiving the same bundle again completes it.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prfpipe.attest import MAX_STATEMENT_BYTES
from prfpipe.bundle import MAX_FILES
from prfpipe.digests import sha256_file, sha256_hex
from prfpipe.errors import AlreadyExistsError, BundleError, InputError, NotFoundError, TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store.base import Store, is_key
from prfpipe.store.files import os_errors, save_new

ROOT = "evidence/v1"

Manifest = Mapping[str, FileDigest]
Progress = Callable[[str, int, int], None]
"""Called with the file that is next, the bytes that are done and the bytes in all."""

_RUN_ID = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([a-z0-9][a-z0-9-]{0,60})-[0-9a-f]{8}", re.ASCII)
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class BundleRef:
    """A bundle in a store: its lever (in lower case, as in keys), its run id and a URL for people."""

    lever: str
    run_id: str
    url: str

    @property
    def started(self) -> datetime:
        """When the run began, in UTC, as its id says."""
        return _started(self.run_id)


def _silent(_name: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def archive(
    store: Store,
    bundle_dir: Path,
    lever_id: str,
    run_id: str,
    manifest: Manifest,
    progress: Progress = _silent,
) -> str:
    """Put every file of the manifest, then the statement. Doing it again completes or confirms it.

    Args:
        store: where to.
        bundle_dir: the run folder; must hold the manifest's files and `statement.dsse.json`.
        lever_id: as in `lever.yaml`, for instance `LEV-01`.
        run_id: names the bundle; its middle is the lever's id in lower case.
        manifest: every file but the statement, by its relative POSIX path.
        progress: see `Progress`.

    Returns:
        The bundle's URL in the store.

    Raises:
        BundleError: the local bundle lacks a file, or has a link where a file should be; nothing was stored.
        TamperError: a local file is not what the manifest says, or the manifest has an unsafe name.
        AlreadyExistsError: the store has another bundle with this run id.
        StoreError: the store failed; the local bundle is untouched and can be archived again.
    """
    ref = _ref(store, run_id, lever_id)
    _check_manifest(manifest)
    for name, digest in manifest.items():
        _check_local(bundle_dir, name, digest)
    statement = _regular(bundle_dir, STATEMENT).read_bytes()
    _refuse_other_statement(store, ref, statement)
    done, total = 0, sum(digest.size for digest in manifest.values())
    for name, digest in sorted(manifest.items()):
        progress(name, done, total)
        store.put(_key(ref, name), bundle_dir / name, digest.sha256)
        done += digest.size
    progress(STATEMENT, done, total)
    store.put(_key(ref, STATEMENT), statement, sha256_hex(statement))
    return ref.url


def list_bundles(store: Store, lever: str | None = None, since: datetime | None = None) -> Iterator[BundleRef]:
    """The committed bundles, oldest first.

    Args:
        store: where.
        lever: only this lever's, by its id in any case.
        since: only runs that began at this time (with a time zone) or later.
    """
    folder = f"{ROOT}/{lever.lower()}" if lever else ROOT
    found = (_committed(store, info.key) for info in store.list(folder))
    refs = [ref for ref in found if ref and (since is None or ref.started >= since)]
    yield from sorted(refs, key=lambda ref: ref.run_id)


def resolve(store: Store, wanted: str, lever: str | None = None) -> BundleRef:
    """The bundle with the run id `wanted`, or the newest if that is `latest`.

    Raises:
        InputError: `wanted` is neither, or is a run of another lever.
        NotFoundError: there is no such committed bundle.
    """
    if wanted == "latest":
        refs = list(list_bundles(store, lever))
        return refs[-1] if refs else _no_bundle(f"{store.url()} has no bundle" + (f" of {lever}" if lever else ""))
    ref = _ref(store, wanted, lever)
    return ref if store.exists(_key(ref, STATEMENT)) else _no_bundle(f"{store.url()} has no bundle {wanted}")


def get_statement(store: Store, ref: BundleRef) -> bytes:
    """The bytes of a bundle's statement, as the store has them.

    Raises:
        StoreError: the store failed, or the bundle is gone.
    """
    return store.get(_key(ref, STATEMENT), max_bytes=MAX_STATEMENT_BYTES)


def get_file(store: Store, ref: BundleRef, name: str, digest: FileDigest) -> bytes:
    """One file of a bundle, verified.

    Raises:
        StoreError: the store failed, or has other content than `digest`.
    """
    return store.get(_key(ref, name), digest.sha256, max_bytes=digest.size)


def stored_files(store: Store, ref: BundleRef) -> frozenset[str]:
    """The names of a bundle's files that the store has, listed by its statement or not. Raises `StoreError`."""
    folder = f"{ROOT}/{ref.lever}/{ref.run_id}"
    return frozenset(info.key.removeprefix(f"{folder}/") for info in store.list(folder))


def fetch(
    store: Store,
    ref: BundleRef,
    to: Path,
    read_manifest: Callable[[bytes], Manifest],
    progress: Progress = _silent,
) -> Path:
    """Copy a bundle into the new folder `to`, each file verified on its way; all of it or nothing.

    Args:
        store: where from; it is not trusted.
        ref: which, from `resolve` or `list_bundles`.
        to: must not exist, or be an empty folder; a symbolic link is refused.
        read_manifest: the statement's bytes -> its files; raises what it does not understand.
        progress: see `Progress`.

    Raises:
        BundleError: `to` is in use or too small.
        StoreError: `to` cannot be written, or the store failed.
        TamperError: the statement lists names that could leave the folder or collide.
        IntegrityError: a file is not what the statement says.
        NotFoundError: the bundle, or a file of it, is gone.
    """
    to = to.absolute()
    _require_free(to)
    statement = get_statement(store, ref)
    manifest = read_manifest(statement)
    _check_manifest(manifest)
    with os_errors(str(to)):
        to.parent.mkdir(parents=True, exist_ok=True)
        _require_space(to.parent, sum(digest.size for digest in manifest.values()))
        partial = Path(tempfile.mkdtemp(prefix=f".{to.name}.partial-", dir=to.parent))
        try:
            _download(store, ref, manifest, partial, progress)
            save_new(partial / STATEMENT, [statement])
            partial.chmod(0o755)
            partial.rename(to)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return to


def _download(store: Store, ref: BundleRef, manifest: Manifest, into: Path, progress: Progress) -> None:
    done, total = 0, sum(digest.size for digest in manifest.values())
    for name, digest in sorted(manifest.items()):
        progress(name, done, total)
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        store.download(_key(ref, name), into / name, digest.sha256, digest.size)
        done += digest.size
    progress(STATEMENT, done, total)


def _ref(store: Store, run_id: str, lever: str | None) -> BundleRef:
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


def _committed(store: Store, key: str) -> BundleRef | None:
    """The bundle that this key commits; None for every other object, also a misplaced statement."""
    folder, _, name = key.rpartition("/")
    lever, _, run_id = folder.removeprefix(f"{ROOT}/").partition("/")
    if name != STATEMENT:
        return None
    try:
        return _ref(store, run_id, lever)
    except InputError:
        return None


def _key(ref: BundleRef, name: str) -> str:
    return f"{ROOT}/{ref.lever}/{ref.run_id}/{name}"


def _is_stamp(text: str) -> bool:
    try:
        datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _started(run_id: str) -> datetime:
    return datetime.strptime(run_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)


def _no_bundle(message: str) -> BundleRef:
    raise NotFoundError(
        message,
        hint="`prfpipe bundles` lists what is there; an interrupted archive shows once it is completed.",
    )


def _check_manifest(manifest: Manifest) -> None:
    """Refuse names that leave the folder, or that collide where upper and lower case are the same."""
    if len(manifest) > MAX_FILES:
        raise _unsafe(f"it lists {len(manifest)} files, at most {MAX_FILES} are read")
    names = [STATEMENT, *sorted(manifest)]
    taken = set[str]().union(*(_folders_of(name.lower()) for name in names))
    for name in names:
        if not is_key(name) or name.lower() in taken:
            raise _unsafe(f"it lists {name[:80]!a}")
        taken.add(name.lower())


def _folders_of(name: str) -> set[str]:
    return {name[: slash.start()] for slash in re.finditer("/", name)}


def _unsafe(problem: str) -> TamperError:
    return TamperError(
        f"the statement's files are not safe to copy: {problem}",
        hint="This bundle was not made by prfpipe, or was changed afterwards. Nothing was copied.",
    )


def _check_local(bundle_dir: Path, name: str, digest: FileDigest) -> None:
    path = _regular(bundle_dir, name)
    if path.stat().st_size != digest.size or sha256_file(path) != digest.sha256:
        raise TamperError(
            f"{path} is not what the bundle's manifest says",
            hint="The bundle changed after it was finished; nothing was stored. Evaluate again.",
        )


def _regular(bundle_dir: Path, name: str) -> Path:
    """A file of the local bundle, reached without a symbolic link."""
    path = bundle_dir.resolve() / name
    if path.resolve() != path or not path.is_file():
        raise BundleError(
            f"{path} is missing or not a regular file",
            hint="Nothing was stored. Resume the run to finish its bundle.",
        )
    return path


def _refuse_other_statement(store: Store, ref: BundleRef, statement: bytes) -> None:
    """Before anything is added to a bundle that is committed already."""
    try:
        stored = get_statement(store, ref)
    except NotFoundError:
        return
    if stored != statement:
        raise AlreadyExistsError(
            f"{ref.url} is committed with another statement",
            hint="Evidence is written once and never replaced: start a new run, which gets a new run id.",
        )


def _require_free(to: Path) -> None:
    if to.is_symlink() or (to.exists() and (not to.is_dir() or any(to.iterdir()))):
        raise BundleError(f"{to} is in use", hint="Name a folder that does not exist yet: nothing is overwritten.")


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise BundleError(f"{folder} has {free} bytes free, the bundle needs {size}", hint="Free some space.")
