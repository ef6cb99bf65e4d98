"""Which store a command works on."""

import argparse

from prfpipe.settings import load_settings
from prfpipe.store import Store, open_store


def store_of(arguments: argparse.Namespace) -> Store:
    """The store of `--store`, or of PRFPIPE_STORE, or ./evidence."""
    return open_store(arguments.store or load_settings().store)
