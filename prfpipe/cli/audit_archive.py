"""`prfpipe audit --archive`: every bundle of a store in one call."""

import argparse
from pathlib import Path

from prfpipe.attest.trust import Trust
from prfpipe.audit.archive import BundleWord
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import day, store_of
from prfpipe.compliance.every_bundle import Asked, audit_archive
from prfpipe.compliance.every_bundle_text import archive_text
from prfpipe.progress import Terminal


def audit_all(arguments: argparse.Namespace, trust: Trust) -> int:
    """Audit every bundle of the store, and the chains that they form."""
    since = day(arguments.since) if arguments.since else None
    asked = Asked(arguments.lever, since, Path(arguments.seen) if arguments.seen else None)
    store = store_of(arguments)

    def tell(word: BundleWord) -> None:
        if not arguments.json:
            print_text(f"REFUSED  {word.run_id}: {word.problem}")

    report, cost = audit_archive(store, trust, asked, Terminal(), tell)
    if arguments.json:
        print_json({**report.model_dump(mode="json"), "store": store.url(), "cost": cost.model_dump()})
    else:
        print_text(archive_text(report, cost, store.url()))
    return 0 if report.accepted else 1
