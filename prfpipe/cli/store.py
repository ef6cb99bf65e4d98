"""`prfpipe store probe`, `check` and `clean`."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from prfpipe.artifacts.tables import text_table
from prfpipe.attest import manifest_of
from prfpipe.cli.output import Listing, print_json, print_text
from prfpipe.cli.stores import day, duration, store_of
from prfpipe.errors import InputError
from prfpipe.progress import Terminal
from prfpipe.store.checking import Checked, check_bundles
from prfpipe.store.cleaning import Cleaned, Leftover, find_leftovers, try_to_remove
from prfpipe.store.probe import probe

_WORDS = {True: "yes", False: "no", None: "not known"}
LEVELS = {
    "locked": "what is written cannot be removed before its retention ends",
    "write-once-enforced": "of several writers that ask for it, one creates an object",
    "verified-by-digest": "the store returns what was put; only our own sha256 notices a change",
    "unreliable": "something that evidence needs does not hold: use another store",
    "unknown": "it could not be found out",
}
_MIN_AGE_SECONDS = 3600


def command(arguments: argparse.Namespace) -> int:
    """Run the sub-command that was asked for."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {"probe": _probe, "check": _check, "clean": _clean}
    return actions[arguments.action](arguments)


def _probe(arguments: argparse.Namespace) -> int:
    """Say what the store guarantees, by trying it."""
    report = probe(store_of(arguments))
    level = report.guarantees.level
    if arguments.json:
        print_json({**asdict(report), "usable": report.usable, "level": level})
    else:
        rows = [
            [finding.name, _WORDS[finding.result], "needed" if finding.needed else "", finding.detail]
            for finding in report.findings
        ]
        print_text(text_table(["guarantee", "holds", "", "detail"], rows, text_columns=4))
        print_text(f"\n{level}: {LEVELS[level]}")
    return 0 if report.usable else 1


def _check(arguments: argparse.Namespace) -> int:
    """Walk the archive; every problem is printed when it is found."""
    store, progress = store_of(arguments), Terminal()
    since = day(arguments.since) if arguments.since else None
    walk = check_bundles(store, manifest_of, lever=arguments.lever, since=since, read_data=arguments.read_data)
    total = {"bundles": 0, "damaged": 0, "uncommitted": 0, "extra": 0, "files": 0, "bytes": 0}
    out = Listing(arguments.json, "runs")
    for found in walk:
        _count(total, found)
        progress.say(f"check: {total['bundles']} bundles, {total['bytes'] / 1e6:.0f} MB, {total['damaged']} damaged")
        if found.problems or found.extra:
            progress.finish()
            out.add(_document(found), _text(found))
    progress.finish()
    out.close(_summary(total, arguments.read_data), **total, read_data=arguments.read_data)
    return 1 if total["damaged"] else 0


def _count(total: dict[str, int], found: Checked) -> None:
    total["bundles"] += found.committed
    total["uncommitted"] += not found.committed
    total["damaged"] += bool(found.problems)
    total["extra"] += len(found.extra) if found.committed else 0
    total["files"] += found.files
    total["bytes"] += found.size


def _document(found: Checked) -> dict[str, object]:
    return {
        "run_id": found.ref.run_id,
        "lever": found.ref.lever.upper(),
        "committed": found.committed,
        "problems": found.problems,
        "extra": found.extra,
    }


def _text(found: Checked) -> str:
    if not found.committed:
        return (
            f"note  {found.ref.run_id}: {found.files} files, {found.size} bytes without a statement: not a bundle yet"
        )
    lines = [f"FAIL  {found.ref.run_id}: {problem}" for problem in found.problems]
    return "\n".join([*lines, *(f"note  {found.ref.run_id}: no statement lists {name}" for name in found.extra)])


def _summary(total: dict[str, int], read_data: bool) -> str:
    how = "every byte read" if read_data else "names and sizes; --read-data compares every byte"
    lines = [
        f"{total['bundles']} bundles, {total['files']} files, {total['bytes']} bytes ({how})",
        f"{total['damaged']} damaged, {total['extra']} extra files, {total['uncommitted']} uncommitted",
    ]
    if total["uncommitted"]:
        lines.append(
            "`prfpipe archive --all` finishes what is on this machine; `prfpipe store clean` removes leftovers"
        )
    return "\n".join(lines)


def _clean(arguments: argparse.Namespace) -> int:
    """Remove what interrupted work left, if it is old enough."""
    age = duration(arguments.older_than)
    if age.total_seconds() < _MIN_AGE_SECONDS:
        raise InputError(
            f"--older-than {arguments.older_than} is too young: what is being archived now looks like a leftover",
            hint="Give at least 1h.",
        )
    store, progress, total = store_of(arguments), Terminal(), Cleaned()
    out = Listing(arguments.json, "leftovers")
    for leftover in find_leftovers(store, datetime.now(UTC) - age):
        progress.say(f"clean: {leftover.name}")
        kept = None if arguments.dry_run else try_to_remove(store, leftover)
        total.add(leftover, kept is not None)
        progress.finish()
        document = {**_leftover(leftover), "removed": not arguments.dry_run and kept is None, "kept": kept}
        out.add(document, _line(leftover, kept, arguments.dry_run))
    did = "would be removed" if arguments.dry_run else f"found, {total.kept} of them kept"
    summary = f"{total.found} leftovers {did}: {total.objects} objects, {total.size} bytes"
    out.close(summary, **asdict(total), dry_run=arguments.dry_run)
    return 4 if total.kept else 0


def _leftover(leftover: Leftover) -> dict[str, object]:
    return {
        "kind": leftover.kind,
        "name": leftover.name,
        "objects": len(leftover.keys) or 1,
        "bytes": leftover.size,
        "newest": f"{leftover.newest:%Y-%m-%dT%H:%M:%SZ}",
    }


def _line(leftover: Leftover, kept: str | None, dry_run: bool) -> str:
    did = f"kept: {kept}" if kept else "would be removed" if dry_run else "removed"
    count, size = len(leftover.keys) or 1, leftover.size
    return f"{leftover.kind}  {leftover.name}  {leftover.newest:%Y-%m-%d}  {count} objects, {size} bytes  {did}"
