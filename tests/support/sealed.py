"""Sealed runs on this machine, and the store that they belong in."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from prfpipe.attest import read_statement
from prfpipe.bundle import read_tree
from prfpipe.layout import STATEMENT
from prfpipe.store import open_store
from prfpipe.store.evidence import archive
from tests.support import bundles

RUNS = Path(".prfpipe/runs")
DOWN = "s3://bucket?endpoint=http://127.0.0.1:9"
FIRST = bundles.RUN_ID
SECOND = "20261124T081500Z-lev-01-00000002"
THIRD = "20261125T081500Z-lev-01-00000003"


@cache
def _files(run_id: str) -> dict[str, bytes]:
    """Made once: building a bundle is most of the time of these tests."""
    with TemporaryDirectory() as folder:
        return read_tree(bundles.build(Path(folder), bundles.Parts.of(bundles.plan(run_id=run_id))))


def seal(runs: Path, run_id: str = FIRST) -> Path:
    """A sealed run in the folder of runs."""
    for name, data in _files(run_id).items():
        there = runs / run_id / name
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data)
    return runs / run_id


def put(store: str, run_id: str = FIRST) -> str:
    """A bundle in a store that no run folder here knows of."""
    with TemporaryDirectory() as elsewhere:
        folder = seal(Path(elsewhere), run_id)
        manifest = read_statement((folder / STATEMENT).read_bytes()).files
        return archive(open_store(store), folder, "LEV-01", run_id, manifest)


def no_waiting(patch: pytest.MonkeyPatch) -> None:
    """Credentials for a store that is down, and no pauses before it is given up."""
    patch.setenv("AWS_ACCESS_KEY_ID", "id")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    patch.setattr("prfpipe.store.deadline.time.sleep", lambda _seconds: None)
