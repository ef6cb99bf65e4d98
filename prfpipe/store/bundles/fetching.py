"""A bundle on its way out of a store. What was interrupted goes on, and nothing is believed that is not verified."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prfpipe.digests import sha256_file
from prfpipe.errors import BundleError, IntegrityError, NotFoundError
from prfpipe.layout import STATEMENT
from prfpipe.store.base import Store
from prfpipe.store.bundles.listing import get_statement
from prfpipe.store.bundles.manifest import Manifest, Progress, check_manifest, silent
from prfpipe.store.bundles.refs import BundleRef, key
from prfpipe.store.files import os_errors, save_new


def fetch(
    store: Store,
    ref: BundleRef,
    to: Path,
    read_manifest: Callable[[bytes], Manifest],
    progress: Progress = silent,
) -> Path:
    """Copy a bundle into the new folder `to`, each file verified on its way; `to` appears whole or not at all.

    After an interruption the files that were copied stay in a hidden folder beside `to`. The same fetch again
    verifies them and copies the rest.

    Args:
        store: where from; it is not trusted.
        ref: which, from `resolve` or `list_bundles`.
        to: must not exist, or be an empty folder; a symbolic link is refused.
        read_manifest: the statement's bytes -> its files; raises what it does not understand.
        progress: see `Progress`.

    Raises:
        BundleError: `to` is in use or too small, or another process fetches into it.
        StoreError: `to` cannot be written, or the store failed.
        TamperError: the statement lists names that could leave the folder or collide.
        IntegrityError: a file is not what the statement says.
        NotFoundError: the bundle, or a file of it, is gone.
    """
    to = to.absolute()
    with os_errors(str(to)):
        _require_free(to)
    statement = get_statement(store, ref)
    manifest = read_manifest(statement)
    check_manifest(manifest)
    with os_errors(str(to)), _partial(to, ref) as partial:
        _keep_verified(partial, manifest)
        missing = {name: digest for name, digest in manifest.items() if not (partial / name).exists()}
        _require_space(partial, sum(digest.size for digest in missing.values()))
        try:
            _download(store, ref, manifest, partial, progress)
        except (IntegrityError, NotFoundError):
            # Fetching again would not help: nothing may look as if it did.
            shutil.rmtree(partial, ignore_errors=True)
            raise
        save_new(partial / STATEMENT, [statement])
        partial.chmod(0o755)
        partial.rename(to)
    return to


@contextmanager
def _partial(to: Path, ref: BundleRef) -> Iterator[Path]:
    """The hidden folder beside `to` that this bundle is copied into, for one process at a time."""
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.parent / f".{to.name}.partial-{ref.run_id}"
    with suppress(FileExistsError):
        partial.mkdir(mode=0o700)
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _claim(descriptor, partial, to)
        with _kept_if_useful(partial):
            yield partial
    finally:
        os.close(descriptor)


@contextmanager
def _kept_if_useful(partial: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _remove_empty_folders(partial)
        with suppress(OSError):
            partial.rmdir()  # only where nothing was copied
        raise


def _claim(descriptor: int, partial: Path, to: Path) -> None:
    """Nobody else may work in the folder: another fetch, or another user who changes what was verified."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise BundleError(f"{partial} can be written by others", hint="Remove it, or fetch into another folder.")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BundleError(f"{to}: another process fetches it", hint="Wait for it, or name another folder.") from error


def _keep_verified(partial: Path, manifest: Manifest) -> None:
    """Of what an earlier fetch left, keep what is exactly what the statement says now."""
    for folder, folders, names in os.walk(partial):
        for path in (Path(folder, name) for name in names + folders):
            is_folder = path.is_dir() and not path.is_symlink()
            if not is_folder and not _is_as_listed(path, path.relative_to(partial).as_posix(), manifest):
                path.unlink()
    _remove_empty_folders(partial)


def _remove_empty_folders(partial: Path) -> None:
    for folder, inner, _ in os.walk(partial, topdown=False):
        for name in inner:
            with suppress(OSError):
                Path(folder, name).rmdir()


def _is_as_listed(path: Path, name: str, manifest: Manifest) -> bool:
    if name not in manifest or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size == manifest[name].size and sha256_file(path) == manifest[name].sha256


def _download(store: Store, ref: BundleRef, manifest: Manifest, into: Path, progress: Progress) -> None:
    done, total = 0, sum(digest.size for digest in manifest.values())
    for name, digest in sorted(manifest.items()):
        progress(name, done, total)
        if not (into / name).exists():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            store.download(key(ref, name), into / name, digest.sha256, digest.size)
        done += digest.size
    progress(STATEMENT, done, total)


def _require_free(to: Path) -> None:
    if to.is_symlink() or (to.exists() and (not to.is_dir() or any(to.iterdir()))):
        raise BundleError(f"{to} is in use", hint="Name a folder that does not exist yet: nothing is overwritten.")


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise BundleError(f"{folder} has {free} bytes free, the bundle needs {size}", hint="Free some space.")
