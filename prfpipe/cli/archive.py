"""`prfpipe archive`."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from prfpipe.bundle import RunFolder
from prfpipe.cli.output import Listing, say_failure
from prfpipe.cli.stores import store_of, teller
from prfpipe.errors import BundleError, InputError, PrfpipeError, StoreError
from prfpipe.layout import STATEMENT
from prfpipe.progress import Terminal
from prfpipe.settings import load_settings
from prfpipe.store.base import Store
from prfpipe.store.evidence import key
from prfpipe.store.local import LocalRun, archive_sealed, find_sealed, sealed_runs


def command(arguments: argparse.Namespace) -> int:
    """Put sealed runs of this machine into the store; one that fails does not keep the others."""
    if bool(arguments.run_id) == arguments.all:
        raise InputError("which run?", hint="Name one run id, or give --all.")
    store, runs = store_of(arguments), load_settings().runs
    out, done, failed = Listing(arguments.json, "archived"), 0, 0
    for run in _wanted(arguments, store, runs):
        try:
            url = _archive(store, run)
        except (StoreError, BundleError) as error:
            _give_up(error, arguments.all)
            failed += 1
        else:
            out.add({"run_id": run.ref.run_id, "lever": run.ref.lever.upper(), "bundle": url}, url)
            done += 1
    out.close(f"{done} archived, {failed} failed" if arguments.all else "", failed=failed)
    return PrfpipeError.exit_code if failed else 0


def _wanted(arguments: argparse.Namespace, store: Store, runs: Path) -> Iterator[LocalRun]:
    if not arguments.all:
        yield find_sealed(runs, store, arguments.run_id)
        return
    for run in sealed_runs(runs, store):
        if not store.exists(key(run.ref, STATEMENT)):
            yield run


def _archive(store: Store, run: LocalRun) -> str:
    progress = Terminal()
    try:
        with RunFolder(run.folder) as folder:
            return archive_sealed(store, folder, teller(progress, f"archive {run.ref.run_id}"))
    finally:
        progress.finish()


def _give_up(error: PrfpipeError, go_on: bool) -> None:
    if not go_on:
        raise error
    say_failure(error)
