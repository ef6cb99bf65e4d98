"""Is the whole archive still there: every statement readable, every file in its size, on request in every byte."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prfpipe.errors import IntegrityError, NotFoundError, TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store.base import Store
from prfpipe.store.bundles.groups import Stored, stored_runs
from prfpipe.store.bundles.listing import get_statement, start_of
from prfpipe.store.bundles.manifest import Manifest, check_manifest
from prfpipe.store.bundles.refs import BundleRef, key

ReadManifest = Callable[[bytes, str], Manifest]


@dataclass(frozen=True, slots=True)
class Checked:
    """One run's folder. `problems` is why its bundle cannot be relied on; `extra` names what no statement lists.

    A bundle that is not committed has no problems: it is not evidence yet.
    """

    ref: BundleRef
    committed: bool
    files: int
    size: int
    problems: tuple[str, ...]
    extra: tuple[str, ...]


def check_bundles(
    store: Store,
    read_manifest: ReadManifest,
    *,
    lever: str | None = None,
    since: datetime | None = None,
    read_data: bool = False,
) -> Iterator[Checked]:
    """Look at every run's folder, one after the other; one bundle's listing is in memory at a time.

    Args:
        store: where; nothing is written to it.
        read_manifest: a statement's bytes and the run id -> its files; raises `TamperError`.
        lever: only this lever's.
        since: only runs that began at this time (with a time zone) or later.
        read_data: also read every file and compare its sha256.

    Raises:
        StoreError: the store failed; a file that it lost or changed is no such failure, but a problem.
    """
    for stored in stored_runs(store, lever, start_of(since)):
        yield _check(store, stored, read_manifest, read_data=read_data)


def _check(store: Store, stored: Stored, read_manifest: ReadManifest, *, read_data: bool) -> Checked:
    ref, names = stored.ref, set(stored.objects)
    if not stored.is_committed:
        return Checked(ref, False, len(names), stored.size, (), tuple(sorted(names)))
    try:
        manifest = read_manifest(get_statement(store, ref), ref.run_id)
        check_manifest(manifest)
    except (TamperError, IntegrityError, NotFoundError) as error:
        return Checked(ref, True, len(names), stored.size, (error.message,), ())
    problems = []
    for name, digest in sorted(manifest.items()):
        problem = _listed_problem(stored, name, digest)
        if problem is None and read_data:
            problem = _data_problem(store, ref, name, digest)
        problems += [f"{name} {problem}"] if problem else []
    extra = tuple(sorted(names - set(manifest) - {STATEMENT}))
    return Checked(ref, True, len(manifest) + 1, stored.size, tuple(problems), extra)


def _listed_problem(stored: Stored, name: str, digest: FileDigest) -> str | None:
    info = stored.objects.get(name)
    if info is None:
        return "is missing"
    return None if info.size == digest.size else f"has {info.size} bytes, not {digest.size}"


def _data_problem(store: Store, ref: BundleRef, name: str, digest: FileDigest) -> str | None:
    try:
        store.verify(key(ref, name), digest.sha256, digest.size)
    except NotFoundError:
        return "is listed, and not there"
    except IntegrityError:
        return "is not what the statement says"
    return None
