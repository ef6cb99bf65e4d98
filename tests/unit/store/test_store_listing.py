"""Listing many bundles: in the order of time over all levers, from any point, with a page in memory."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from prfpipe.errors import NotFoundError
from prfpipe.layout import STATEMENT
from prfpipe.store import ObjectInfo, Store, open_store
from prfpipe.store.evidence import ROOT, list_bundles, resolve, start_of
from tests.store_servers import CACHED_SECONDS
from tests.unit.store import listing_at_scale

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def run_id(number: int, lever: str) -> str:
    return f"{BEGIN + timedelta(hours=number):%Y%m%dT%H%M%SZ}-{lever}-{number:08x}"


def plant(folder: Path, count: int, levers: tuple[str, ...] = ("lev-01", "lev-02", "lev-10")) -> list[str]:
    """So many bundles, an hour apart, of the levers in turn; their ids in order."""
    ids = [run_id(number, levers[number % len(levers)]) for number in range(count)]
    for number, name in enumerate(ids):
        run = folder / ROOT / levers[number % len(levers)] / name
        run.mkdir(parents=True)
        for file in ("plan.json", STATEMENT):
            (run / file).write_bytes(b"{}")
    time.sleep(2 * CACHED_SECONDS)
    return ids


class Counted:
    """A store that counts the objects that were listed."""

    def __init__(self, store: Store) -> None:
        self._store, self.listed = store, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def list(self, prefix: str = "", **options: Any) -> Iterator[ObjectInfo]:
        for info in self._store.list(prefix, **options):
            self.listed += 1
            yield info


def test_levers_are_merged_in_the_order_of_time(kept: Any) -> None:
    ids = plant(kept.folder, 20)
    assert [ref.run_id for ref in list_bundles(kept.store)] == ids
    assert [ref.run_id for ref in list_bundles(kept.store, "LEV-02")] == ids[1::3]


def test_a_listing_goes_on_after_any_run(kept: Any) -> None:
    ids = plant(kept.folder, 9)
    for at in range(9):
        assert [ref.run_id for ref in list_bundles(kept.store, after=ids[at])] == ids[at + 1 :]
    gone = run_id(4, "lev-99")
    assert [ref.run_id for ref in list_bundles(kept.store, after=gone)] == ids[5:]


def test_since_and_after_go_together(kept: Any) -> None:
    ids = plant(kept.folder, 9)
    since = BEGIN + timedelta(hours=3)
    assert [ref.run_id for ref in list_bundles(kept.store, since=since)] == ids[3:]
    assert [ref.run_id for ref in list_bundles(kept.store, since=since, after=ids[0])] == ids[3:]
    assert [ref.run_id for ref in list_bundles(kept.store, since=since, after=ids[5])] == ids[6:]
    assert start_of(None) == ""


def test_the_first_bundles_need_no_listing_of_all(tmp_path: Path) -> None:
    plant(tmp_path, 60)
    store = Counted(open_store(str(tmp_path)))
    assert len(list(islice(list_bundles(store), 3))) == 3
    assert store.listed < 20


def test_the_latest_is_found_among_the_recent_ones(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    recent = f"{now - timedelta(hours=1):%Y%m%dT%H%M%SZ}-lev-01-0000beef"
    plant(tmp_path, 30, ("lev-01",))
    (tmp_path / ROOT / "lev-01" / recent).mkdir()
    (tmp_path / ROOT / "lev-01" / recent / STATEMENT).write_bytes(b"{}")
    store = Counted(open_store(str(tmp_path)))
    assert resolve(store, "latest").run_id == recent
    assert store.listed == 1


def test_the_latest_of_old_ones_is_found_too(tmp_path: Path) -> None:
    run = tmp_path / ROOT / "lev-01" / "20200101T000000Z-lev-01-00000001"
    run.mkdir(parents=True)
    with pytest.raises(NotFoundError):
        resolve(open_store(str(tmp_path)), "latest")
    (run / STATEMENT).write_bytes(b"{}")
    assert resolve(open_store(str(tmp_path)), "latest").run_id == run.name


def test_the_measure_of_listings_sees_every_bundle_once(tmp_path: Path) -> None:
    ids = listing_at_scale.plant(tmp_path, 40)
    row = listing_at_scale.measure("folder", str(tmp_path), 40, ids, ("--limit", "10", "--after", ids[19]))
    assert (row.bundles, row.objects, row.listed) == (40, 120, 10)
    assert 0 < row.first_seconds <= row.seconds
    assert row.peak_mib > 1
