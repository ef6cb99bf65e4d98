"""`prfpipe store probe`."""

import argparse
from dataclasses import asdict

from prfpipe.artifacts.tables import text_table
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import store_of
from prfpipe.store.probe import probe

_WORDS = {True: "yes", False: "no", None: "not known"}


def command(arguments: argparse.Namespace) -> int:
    """Say what the store guarantees, by trying it."""
    report = probe(store_of(arguments))
    if arguments.json:
        print_json({**asdict(report), "usable": report.usable})
    else:
        rows = [
            [finding.name, _WORDS[finding.result], "needed" if finding.needed else "", finding.detail]
            for finding in report.findings
        ]
        print_text(text_table(["guarantee", "holds", "", "detail"], rows, text_columns=4))
    return 0 if report.usable else 1
