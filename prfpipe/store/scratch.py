"""A bundle of a store on this machine, for as long as somebody looks at it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prfpipe.attest import manifest_of
from prfpipe.store.base import Store
from prfpipe.store.evidence import BundleRef, fetch


@contextmanager
def fetched(store: Store, ref: BundleRef) -> Iterator[Path]:
    """The bundle in a folder that is removed afterwards, each file verified on its way.

    Raises:
        StoreError: see `evidence.fetch`.
        TamperError: the statement is not one of this run.
    """
    with tempfile.TemporaryDirectory(prefix="prfpipe-bundle-") as scratch:
        yield fetch(store, ref, Path(scratch, "bundle"), lambda data: manifest_of(data, ref.run_id))
