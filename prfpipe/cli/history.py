"""`prfpipe history`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from prfpipe.artifacts.names import clean
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import day, store_of
from prfpipe.errors import InputError, NotFoundError
from prfpipe.history import histories
from prfpipe.history.page import page, text
from prfpipe.models import LeverHistory
from prfpipe.progress import Terminal
from prfpipe.store import Store


def command(arguments: argparse.Namespace) -> int:
    """Show each lever over time; 1 if a gain has rotted."""
    store, since = store_of(arguments), day(arguments.since) if arguments.since else None
    progress = Terminal()
    try:
        found, problems = histories(
            store, arguments.lever, since, arguments.tolerance, lambda run_id, done: progress.say(f"read: {run_id}")
        )
    finally:
        progress.finish()
    if not found:
        raise _nothing(store, problems, since)
    if arguments.html:
        _write(Path(arguments.html), page(found))
    if arguments.json:
        print_json([item.model_dump(mode="json") for item in found])
        for words in problems:
            sys.stderr.write(f"left out: {clean(words, 300)}\n")
    else:
        print_text(text(found, problems))
    return int(any(_rotted(item) for item in found))


def _nothing(store: Store, problems: Sequence[str], since: datetime | None) -> NotFoundError:
    late = f" since {since:%Y-%m-%d}" if since else " yet"
    error = NotFoundError(f"{store.url()} has no history{late}", hint="Each `prfpipe evaluate` adds a run to it.")
    for words in problems:
        error.add_note(f"left out: {words}")
    return error


def _rotted(history: LeverHistory) -> bool:
    return history.retention is not None and history.retention.state == "rotted"


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"--html {path}: {error.strerror}", hint="Name a file that can be written.") from error
