"""`prfpipe levers`."""

import argparse

from prfpipe.artifacts.tables import text_table
from prfpipe.cli.output import print_json, print_text
from prfpipe.lever import list_levers
from prfpipe.settings import load_settings


def command(arguments: argparse.Namespace) -> int:
    """List the levers that can be evaluated by id."""
    place = load_settings().levers
    levers = list_levers(place)
    if arguments.json:
        print_json([{"folder": str(lever.root), **lever.spec.model_dump(mode="json")} for lever in levers])
        return 0
    if not levers:
        print_text(f"no levers under {place}: `prfpipe new {place}/NAME` writes one")
        return 0
    rows = [
        [lever.spec.id, lever.spec.title, "{:g}-{:g}x".format(*lever.spec.expected_speedup), str(lever.root)]
        for lever in levers
    ]
    print_text(text_table(["lever", "title", "expected", "folder"], rows, text_columns=4))
    return 0
