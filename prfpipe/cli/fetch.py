"""`prfpipe fetch`."""

import argparse
from pathlib import Path

from prfpipe.attest import manifest_of
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import duration, store_of, teller
from prfpipe.layout import REPORT
from prfpipe.progress import Terminal
from prfpipe.store.base import Store
from prfpipe.store.evidence import BundleRef, fetch, get_statement, key, resolve


def command(arguments: argparse.Namespace) -> int:
    """Copy a bundle out of the store, or print a link to its report."""
    store = store_of(arguments)
    ref = resolve(store, arguments.run_id, arguments.lever)
    return _link(arguments, store, ref) if arguments.link else _fetch(arguments, store, ref)


def _fetch(arguments: argparse.Namespace, store: Store, ref: BundleRef) -> int:
    progress, to = Terminal(), Path(arguments.to or ref.run_id)
    try:
        folder = fetch(store, ref, to, lambda data: manifest_of(data, ref.run_id), teller(progress, "fetch"))
    finally:
        progress.finish()
    if arguments.json:
        print_json({"run_id": ref.run_id, "lever": ref.lever.upper(), "folder": str(folder)})
    else:
        print_text(f"{ref.run_id}\n{folder}\n\nprfpipe audit {folder}")
    return 0


def _link(arguments: argparse.Namespace, store: Store, ref: BundleRef) -> int:
    """The digest goes along, because who opens a link has nothing else to check the report with."""
    span = duration(arguments.expires)
    report = manifest_of(get_statement(store, ref), ref.run_id)[REPORT]
    link = store.link(key(ref, REPORT), int(span.total_seconds()))
    if arguments.json:
        print_json({"run_id": ref.run_id, "link": link, "expires": arguments.expires, "sha256": report.sha256})
    else:
        print_text(f"{link}\nsha256 {report.sha256}")
    return 0
