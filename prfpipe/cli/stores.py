"""Which store or bundle a command works on. A folder on this machine needs no store, and loads none."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prfpipe.store import Store


def store_of(arguments: argparse.Namespace) -> "Store":
    """The store of `--store`, or of PRFPIPE_STORE, or ./evidence."""
    from prfpipe.settings import load_settings
    from prfpipe.store import open_store

    return open_store(arguments.store or load_settings().store)


@contextmanager
def bundle_folder(arguments: argparse.Namespace) -> Iterator[Path]:
    """The folder that `bundle` names, or that of a run id's bundle, which is fetched from the store first."""
    folder = Path(arguments.bundle)
    if folder.is_dir() or len(folder.parts) > 1:
        yield folder
        return
    from prfpipe.store.evidence import resolve
    from prfpipe.store.scratch import fetched

    store = store_of(arguments)
    with fetched(store, resolve(store, arguments.bundle)) as copy:
        yield copy
