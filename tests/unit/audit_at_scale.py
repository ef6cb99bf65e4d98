"""What `prfpipe audit --archive` costs over many bundles: rows for docs/reliability.md.

Run as a program: `python -m tests.unit.audit_at_scale [BUNDLES]`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from prfpipe import layout
from prfpipe.digests import sha256_hex
from prfpipe.store.evidence import ROOT
from tests.golden.bundles import corpus
from tests.golden.bundles.forge import Files, anew
from tests.store_servers import ACCESS_KEY, BUCKET, SECRET_KEY, rclone_s3
from tests.support.bundles import RUN_ID

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LEVERS = ("LEV-01", "LEV-02", "LEV-03", "LEV-04", "LEV-05")
PROGRAM = "import sys; from prfpipe.cli import main; main(sys.argv[1:])"


class Row(NamedTuple):
    """One audit of an archive of so many bundles, all accepted, in a process of its own."""

    store: str
    bundles: int
    seconds: float
    bundles_per_second: float
    peak_mib: float


def measure_archive(bundles: int = 1000, *, small: int = 50) -> list[Row]:
    """`prfpipe audit --archive` over a few and over many signed bundles, in a folder and over S3."""
    rows = []
    for count in (small, bundles):
        with tempfile.TemporaryDirectory(prefix="prfpipe-scale-") as scratch:
            folder = Path(scratch, BUCKET)
            plant(folder, count)
            rows += [measure(name, url, count) for name, url in _stores(folder)]
    return rows


def plant(folder: Path, count: int) -> list[str]:
    """So many whole bundles an hour apart, of five levers in turn, each lever's in one chain; their run ids."""
    base, planted = corpus.read_folder(corpus.BASE), list[str]()
    last: dict[str, tuple[int, str | None]] = dict.fromkeys(LEVERS, (0, None))
    for number in range(count):
        lever = LEVERS[number % len(LEVERS)]
        run_id = f"{BEGIN + timedelta(hours=number):%Y%m%dT%H%M%SZ}-{lever.lower()}-{number:08x}"
        sequence, previous = last[lever]
        files = bundle(base, lever, run_id, sequence + 1, previous)
        last[lever] = (sequence + 1, sha256_hex(files[layout.STATEMENT]))
        corpus.write(files, folder / ROOT / lever.lower() / run_id)
        planted.append(run_id)
    return planted


def bundle(base: Files, lever: str, run_id: str, sequence: int, previous: str | None) -> Files:
    """The base as another run of another lever: both stand in its files as they are, and are as long."""
    renamed = {
        name: data.replace(RUN_ID.encode(), run_id.encode()).replace(b"LEV-01", lever.encode())
        for name, data in base.items()
        if name != layout.STATEMENT
    }
    digests = (sha256_hex(files[layout.VERDICT]).encode() for files in (base, renamed))
    renamed[layout.REPORT] = renamed[layout.REPORT].replace(*digests)
    place = {"run_id": run_id, "lever": lever, "sequence": sequence, "previous": previous}
    return anew({**renamed, layout.STATEMENT: base[layout.STATEMENT]}, **place)


def _stores(folder: Path) -> Iterator[tuple[str, str]]:
    yield "folder", str(folder)
    with _served(folder) as url:
        yield "S3 (rclone)", url


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    with rclone_s3(folder.parent) as endpoint:
        yield f"s3://{BUCKET}?endpoint={endpoint}"


def measure(store: str, url: str, bundles: int) -> Row:
    """Run the audit; it must accept every bundle."""
    arguments = ["audit", "--archive", "--store", url, "--trust", str(corpus.TRUSTED), "--json"]
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env={**os.environ, **keys}, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout) if done.returncode == 0 else {}
    if found.get("bundles") != bundles or not found["accepted"]:
        raise AssertionError(f"{command}: {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    cost = found["cost"]
    return Row(store, bundles, cost["seconds"], cost["bundles_per_second"], cost["peak_rss_kib"] / 1024)


if __name__ == "__main__":
    for row in measure_archive(int(sys.argv[1]) if len(sys.argv) > 1 else 1000):
        sys.stdout.write("\t".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row) + "\n")
