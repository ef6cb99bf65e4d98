"""Bundles in a store: `evidence/v1/<lever>/<run_id>/<file>`, committed by their statement, which goes last.

A bundle exists if and only if its statement does. What an interrupted archive left behind is invisible, and
archiving the same bundle again completes it.
"""

from prfpipe.store.bundles.archiving import archive
from prfpipe.store.bundles.fetching import fetch
from prfpipe.store.bundles.listing import get_statement, list_bundles, resolve, start_of, stored_files
from prfpipe.store.bundles.manifest import Manifest, Progress
from prfpipe.store.bundles.refs import ROOT, BundleRef, key

__all__ = [
    "ROOT",
    "BundleRef",
    "Manifest",
    "Progress",
    "archive",
    "fetch",
    "get_statement",
    "key",
    "list_bundles",
    "resolve",
    "start_of",
    "stored_files",
]
