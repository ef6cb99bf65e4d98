"""`prfpipe fetch`."""

import argparse
from pathlib import Path

from prfpipe.attest import manifest_of
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import store_of
from prfpipe.progress import Terminal
from prfpipe.store.evidence import fetch, resolve


def command(arguments: argparse.Namespace) -> int:
    """Copy a bundle out of the store."""
    store, progress = store_of(arguments), Terminal()
    ref = resolve(store, arguments.run_id, arguments.lever)

    def tell(name: str, done: int, total: int) -> None:
        progress.say(f"fetch: {name}", done=done / max(total, 1))

    folder = fetch(store, ref, Path(arguments.to), lambda data: manifest_of(data, ref.run_id), tell)
    progress.finish()
    if arguments.json:
        print_json({"run_id": ref.run_id, "lever": ref.lever.upper(), "folder": str(folder)})
    else:
        print_text(f"{ref.run_id}\n{folder}\n\nprfpipe audit {folder}")
    return 0
