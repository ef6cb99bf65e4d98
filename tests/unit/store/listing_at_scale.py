"""What listing and checking many bundles costs: rows for docs/reliability.md, and a bound that a test holds.

Run as a program: `python -m tests.unit.store.listing_at_scale [BUNDLES]`.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from prfpipe.layout import STATEMENT
from prfpipe.store.evidence import ROOT
from tests.store_servers import ACCESS_KEY, BUCKET, SECRET_KEY, rclone_s3

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LEVERS = ("lev-01", "lev-02", "lev-03", "lev-04", "lev-05")
FILES = ("plan.json", "verdict.json", STATEMENT)
PROGRAM = "import sys; from prfpipe.cli import main; main(sys.argv[1:])"


class Row(NamedTuple):
    """One command over one store: wall seconds to its first line and to its end, and its peak memory."""

    store: str
    command: str
    bundles: int
    objects: int
    listed: int
    first_seconds: float
    seconds: float
    peak_mib: float


def measure_listings(bundles: int = 10_000, *, small: int = 100) -> list[Row]:
    """`prfpipe bundles` over a few and over many bundles, all and by lever and date, in a folder and over S3."""
    rows = []
    for count in (small, bundles):
        with tempfile.TemporaryDirectory(prefix="prfpipe-scale-") as scratch:
            folder = Path(scratch, BUCKET)
            ids = plant(folder, count)
            since = f"{BEGIN + timedelta(hours=count * 9 // 10):%Y-%m-%d}"
            for name, url in _stores(folder):
                rows += [
                    measure(name, url, count, ids, ()),
                    measure(name, url, count, ids, ("--lever", "LEV-03", "--since", since)),
                    measure(name, url, count, ids, ("--limit", "100", "--after", ids[count // 2])),
                ]
    return rows


def plant(folder: Path, count: int) -> list[str]:
    """So many bundles an hour apart, of five levers in turn; their run ids in order."""
    ids = []
    for number in range(count):
        lever = LEVERS[number % len(LEVERS)]
        ids.append(f"{BEGIN + timedelta(hours=number):%Y%m%dT%H%M%SZ}-{lever}-{number:08x}")
        run = folder / ROOT / lever / ids[-1]
        run.mkdir(parents=True)
        for name in FILES:
            (run / name).write_bytes(b"{}")
    return ids


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    with rclone_s3(folder.parent) as endpoint:
        yield f"s3://{BUCKET}?endpoint={endpoint}"


def _stores(folder: Path) -> Iterator[tuple[str, str]]:
    yield "folder", str(folder)
    with _served(folder) as url:
        yield "S3 (rclone)", url


def measure(store: str, url: str, bundles: int, ids: Sequence[str], options: Sequence[str]) -> Row:
    """Run `prfpipe bundles` in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, "bundles", "--store", url, *options]
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
    reading, writing = os.pipe()
    start = time.monotonic()
    child = os.posix_spawn(
        sys.executable, command, {**os.environ, **keys}, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)]
    )
    os.close(writing)
    with os.fdopen(reading) as out:
        lines = [out.readline()]
        first = time.monotonic() - start
        lines += out
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - start
    listed = [line.split()[0] for line in lines if line[:1].isdigit()]
    if os.waitstatus_to_exitcode(status) or not listed or not set(listed) <= set(ids):
        raise AssertionError(f"{command}: {status}, {lines[-3:]}")
    what = " ".join(["bundles", *(option for option in options if not option.startswith("2026"))])
    return Row(store, what, bundles, len(ids) * len(FILES), len(listed), first, seconds, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    for row in measure_listings(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000):
        sys.stdout.write("\t".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row) + "\n")
