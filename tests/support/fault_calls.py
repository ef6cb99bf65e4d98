"""A bundle sent to a store that fails and brought back: what must hold, whatever went wrong."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from prfpipe.attest import manifest_of
from prfpipe.bundle import read_tree
from prfpipe.errors import AlreadyExistsError, PrfpipeError, StoreError, TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store import Store, open_store
from prfpipe.store.evidence import archive, fetch, resolve
from tests.support import bundles
from tests.support.fault_store import Fault, FaultyStore, faults_of, once

_PLANTED = {Fault.PARTIAL, Fault.PARTIAL_TAKEN, Fault.DAMAGED, Fault.RIVAL_OTHER}


def manifest(bundle: Path) -> dict[str, FileDigest]:
    return manifest_of((bundle / STATEMENT).read_bytes(), bundles.RUN_ID)


def send(store: Store, bundle: Path) -> str:
    return archive(store, bundle, "LEV-01", bundles.RUN_ID, manifest(bundle))


def bring(store: Store) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        ref = resolve(store, bundles.RUN_ID)
        return read_tree(fetch(store, ref, Path(folder, "copy"), lambda data: manifest_of(data, bundles.RUN_ID)))


def tries_of(bundle: Path, folder: Path) -> Iterator[tuple[int, Fault]]:
    """Every fault at every call of sending and bringing."""
    dry = FaultyStore(open_store(str(folder / "dry")))
    send(dry, bundle)
    bring(dry)
    return faults_of(dry.calls)


def suffer_calls(store: FaultyStore, bundle: Path, *, at: int = 0, fault: Fault | None = None) -> str:
    """What is wrong after sending and bringing with faults, then without; nothing if they were survived.

    With `at` and `fault`, that one fault at that call; without, whatever the store's own plan says.
    """
    whole = read_tree(bundle)
    if fault:
        store.plan = once(at, fault)
    try:
        send(store, bundle)
        if bring(store) != whole:
            return "other bytes came back"
    except (StoreError, TamperError):
        pass
    if fault and store.injected != [fault]:
        return "the fault did not happen"
    return _afterwards(store, bundle, whole)


def _afterwards(store: FaultyStore, bundle: Path, whole: dict[str, bytes]) -> str:
    """The store is well again: the same command completes the bundle, or says that other content is in its place."""
    try:
        send(store.inner, bundle)
        return "" if bring(store.inner) == whole else "other bytes came back afterwards"
    except AlreadyExistsError:
        return "" if _PLANTED & set(store.injected) else "says that other content is there"
    except PrfpipeError as error:
        return f"not completed: {error.message}"
