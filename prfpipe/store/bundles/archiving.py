"""A bundle on its way into a store."""

from pathlib import Path

from prfpipe.digests import sha256_file, sha256_hex
from prfpipe.disk import disk_errors
from prfpipe.errors import AlreadyExistsError, BundleError, NotFoundError, TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store.base import Store
from prfpipe.store.bundles.listing import get_statement, stored_files
from prfpipe.store.bundles.manifest import Manifest, Progress, check_manifest, silent
from prfpipe.store.bundles.refs import BundleRef, key, ref_of


def archive(
    store: Store,
    bundle_dir: Path,
    lever_id: str,
    run_id: str,
    manifest: Manifest,
    progress: Progress = silent,
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
        BundleError: the local bundle lacks a file, has a link where a file should be, or cannot be read; nothing was
            stored.
        TamperError: a local file is not what the manifest says, or the manifest has an unsafe name.
        AlreadyExistsError: the store has another bundle with this run id.
        StoreError: the store failed; the local bundle is untouched and can be archived again.
    """
    ref = ref_of(store, run_id, lever_id)
    check_manifest(manifest)
    with disk_errors(str(bundle_dir)):
        for name, digest in manifest.items():
            _check_local(bundle_dir, name, digest)
        statement = _regular(bundle_dir, STATEMENT).read_bytes()
    _refuse_other_statement(store, ref, statement)
    done, total = 0, sum(digest.size for digest in manifest.values())
    for name, digest in sorted(manifest.items()):
        progress(name, done, total)
        store.put(key(ref, name), bundle_dir / name, digest.sha256)
        done += digest.size
    progress(STATEMENT, done, total)
    store.put(key(ref, STATEMENT), statement, sha256_hex(statement))
    _restore_what_went(store, ref, bundle_dir, manifest)
    return ref.url


def _restore_what_went(store: Store, ref: BundleRef, bundle_dir: Path, manifest: Manifest) -> None:
    """Put again what a cleaner, who took an unfinished bundle for a leftover, removed before its statement came."""
    there = stored_files(store, ref)
    for name in sorted(set(manifest) - there):
        store.put(key(ref, name), bundle_dir / name, manifest[name].sha256)


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
