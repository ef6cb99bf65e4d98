"""All four invariants over an archive: of each lever of the doctrine its newest adopted bundle, or its newest.

One bundle at a time is on this machine and in memory.
"""

from collections.abc import Iterator, Sequence

from prfpipe import doctrine
from prfpipe.attest import manifest_of, read_statement
from prfpipe.attest.trust import Trust
from prfpipe.audit import absent_files
from prfpipe.audit.bundle import NOBODY
from prfpipe.bundle import read_tree
from prfpipe.compliance.bundle import INVARIANTS, UNSEEN, broken, details, examine, lacks_of
from prfpipe.compliance.project import Project, owners, principles
from prfpipe.compliance.report import Compliance, Lack, SeenBundle, conclude
from prfpipe.errors import IntegrityError, NotFoundError, TamperError
from prfpipe.progress import Progress, Silent
from prfpipe.store.base import Store
from prfpipe.store.evidence import BundleRef, get_statement, list_bundles, stored_files
from prfpipe.store.scratch import fetched


def check_archive(
    store: Store, project: Project, *, time: str, progress: Progress | None = None, trust: Trust = NOBODY
) -> Compliance:
    """Check an archive together with the gates of the project that it belongs to.

    `trust`: whose signatures are believed; with nobody's, any signer will do.

    Raises:
        StoreError: the store failed. A file that it lost or changed is no such failure: it is named as missing.
    """
    by_lever: dict[str, list[BundleRef]] = {}
    for ref in list_bundles(store):
        by_lever.setdefault(ref.lever, []).append(ref)
    found = principles(project)
    lacks, seen = list(found.lacks), []
    for bundle, missing in _levers(store, by_lever, progress or Silent(), trust):
        seen += [bundle] if bundle else []
        lacks += missing
    told = {**found.details, **details(len(seen))}
    notes = [*found.notes, *_others(by_lever)]
    return conclude(
        "archive", store.url(), told, lacks, time=time, notes=notes, bundles=seen, owners=owners(project)
    )  # fmt: skip


def _levers(
    store: Store, by_lever: dict[str, list[BundleRef]], progress: Progress, trust: Trust
) -> Iterator[tuple[SeenBundle | None, tuple[Lack, ...]]]:
    for done, lever in enumerate(doctrine.LEVERS):
        progress.say(f"doctrine: {lever.id}", done=done / len(doctrine.LEVERS))
        refs = by_lever.get(lever.id.lower(), [])
        newest = _newest_adopted(store, refs) if refs else None
        yield _look_into(store, newest, trust) if newest else (None, (_without(lever, store),))
    progress.finish()


def _without(lever: doctrine.Lever, store: Store) -> Lack:
    missing = f"no bundle of {lever.title!r} in {store.url()}"
    return Lack(invariants=INVARIANTS, clause=lever.id, missing=missing, lever=lever.id)


def _newest_adopted(store: Store, refs: Sequence[BundleRef]) -> BundleRef:
    return next((ref for ref in reversed(refs) if _is_adopted(store, ref)), refs[-1])


def _is_adopted(store: Store, ref: BundleRef) -> bool:
    try:
        return read_statement(get_statement(store, ref)).predicate.verdict == "adopt"
    except (IntegrityError, TamperError):
        # Not passed over: what is broken has to be named, and looking into it does that.
        return True


def _look_into(store: Store, ref: BundleRef, trust: Trust) -> tuple[SeenBundle, tuple[Lack, ...]]:
    lever, run_id = ref.lever.upper(), ref.run_id
    seen = UNSEEN.model_copy(update={"lever": lever, "run_id": run_id})
    try:
        with fetched(store, ref) as folder:
            files = read_tree(folder)
        audited, lacks = examine(files, trust)
    except NotFoundError:
        if lost := _lost(store, ref):
            return seen, lost
        raise
    except (IntegrityError, TamperError) as error:
        return seen, (broken(error.message, lever=lever, run_id=run_id),)
    named = tuple(lack.model_copy(update={"lever": lever, "run_id": run_id}) for lack in lacks)
    return (audited if audited.run_id else seen), named


def _lost(store: Store, ref: BundleRef) -> tuple[Lack, ...]:
    """The files that the statement lists and the store has no longer."""
    listed = manifest_of(get_statement(store, ref), ref.run_id)
    gaps = list(absent_files(listed, stored_files(store, ref)))
    return tuple(lacks_of(gaps, INVARIANTS, lever=ref.lever.upper(), run_id=ref.run_id))


def _others(by_lever: dict[str, list[BundleRef]]) -> Iterator[str]:
    known = {lever.id.lower() for lever in doctrine.LEVERS}
    if others := sorted(name.upper() for name in by_lever.keys() - known):
        yield f"also in the archive, no levers of the doctrine and not looked into: {', '.join(others)}"
