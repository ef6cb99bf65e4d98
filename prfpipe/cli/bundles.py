"""`prfpipe bundles`."""

import argparse
from datetime import UTC, datetime

from prfpipe.artifacts.tables import text_table
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import store_of
from prfpipe.errors import SettingsError
from prfpipe.store.evidence import list_bundles


def command(arguments: argparse.Namespace) -> int:
    """List the committed bundles."""
    since = day(arguments.since) if arguments.since else None
    refs = list(list_bundles(store_of(arguments), arguments.lever, since))
    if arguments.json:
        print_json([{"run_id": ref.run_id, "lever": ref.lever.upper(), "bundle": ref.url} for ref in refs])
    elif refs:
        rows = [[ref.run_id, ref.lever.upper(), f"{ref.started:%Y-%m-%d %H:%M} UTC", ref.url] for ref in refs]
        print_text(text_table(["run", "lever", "started", "bundle"], rows, text_columns=4))
    else:
        print_text(f"no bundles in {store_of(arguments).url()}")
    return 0


def day(text: str) -> datetime:
    """The beginning of a day in UTC. Raises `SettingsError`."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise SettingsError(f"--since {text!r} is not a day", hint="Write it as YYYY-MM-DD.") from error
