"""`prfpipe audit --archive`: every bundle of a store in one call."""

import argparse
from pathlib import Path

from prfpipe.attest.trust import Trust
from prfpipe.audit.archive import BundleWord
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import day, store_of
from prfpipe.compliance.every_bundle import Asked, audit_archive
from prfpipe.compliance.every_bundle_text import archive_text
from prfpipe.errors import InputError, NotFoundError
from prfpipe.progress import Terminal


def audit_all(arguments: argparse.Namespace, trust: Trust) -> int:
    """Audit every bundle of the store, and the chains that they form."""
    since = None if arguments.since is None else day(arguments.since)
    asked = Asked(arguments.lever, since, None if arguments.seen is None else _seen(arguments.seen))
    store = store_of(arguments)

    def tell(word: BundleWord) -> None:
        if not arguments.json:
            print_text(f"REFUSED  {word.run_id}: {word.problem}")

    report, cost = audit_archive(store, trust, asked, Terminal(), tell)
    if report.accepted and report.bundles == 0 and since is None:
        of = f" of {asked.lever}" if asked.lever else ""
        raise NotFoundError(f"{store.url()} holds no bundle{of}", hint="`prfpipe bundles` lists what a store holds.")
    if arguments.json:
        print_json({**report.model_dump(mode="json"), "store": store.url(), "cost": cost.model_dump()})
    else:
        print_text(archive_text(report, cost, store.url()))
    return 0 if report.accepted else 1


def _seen(file: str) -> Path:
    """Without the record of what was there before nothing can be missed: an unset variable must not leave it out."""
    if not file:
        raise InputError("--seen names no file", hint="Is a variable unset? Leave it out to look for no rollback.")
    return Path(file)
