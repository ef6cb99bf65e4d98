"""Leftovers go by their age; a committed bundle never does."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prfpipe.digests import sha256_hex
from prfpipe.errors import StoreError, StoreUnavailableError
from prfpipe.layout import STATEMENT
from prfpipe.store.cleaning import Leftover, find_leftovers, remove, try_to_remove
from prfpipe.store.evidence import list_bundles
from tests.store_bundles import FILES, LATER, RUN, Watched, keep
from tests.unit.store.bucket_servers import RichS3
from tests.unit.store.test_store_traits import connect

NOW = datetime.now(UTC)
WEEK = NOW - timedelta(days=7)
LONG_AGO = (NOW - timedelta(days=8)).timestamp()


def age(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (LONG_AGO, LONG_AGO))
    time.sleep(0.05)  # the server believes what it saw for 20 ms


def interrupt(store: Any, folder: Path) -> None:
    """Archive a bundle but for its last file and its statement."""
    with pytest.raises(StoreUnavailableError):
        keep(Watched(store, fail_at=len(FILES) - 1), folder)


def leftovers(store: Any, before: datetime = WEEK) -> list[tuple[str, str, int]]:
    return [(item.kind, item.name, len(item.keys)) for item in find_leftovers(store, before)]


def test_an_interrupted_archive_is_a_leftover_once_it_is_old(kept: Any, tmp_path: Path) -> None:
    interrupt(kept.store, tmp_path / "run")
    assert leftovers(kept.store) == []
    age(kept.folder)
    assert leftovers(kept.store) == [("bundle", RUN, len(FILES) - 1)]


def test_one_young_file_keeps_the_whole(kept: Any, tmp_path: Path) -> None:
    interrupt(kept.store, tmp_path / "run")
    age(kept.folder)
    os.utime(kept.folder / "evidence/v1/lev-01" / RUN / "empty")
    assert leftovers(kept.store) == []


def test_leftovers_are_removed_and_committed_bundles_are_not(kept: Any, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "whole", LATER)
    interrupt(kept.store, tmp_path / "run")
    kept.store.put("probe/v1/0123/object", b"left", sha256_hex(b"left"))
    age(kept.folder)
    found = list(find_leftovers(kept.store, WEEK))
    assert [item.kind for item in found] == ["bundle", "probe"]
    assert all(remove(kept.store, item) for item in found)
    assert [ref.run_id for ref in list_bundles(kept.store)] == [LATER]
    assert len(list(kept.store.list())) == len(FILES) + 1
    assert leftovers(kept.store) == []


def test_what_is_not_ours_stays(kept: Any) -> None:
    for key in ("notes/old", "evidence/v1/lev-01/notes", "evidence/v1/lev-01/not-a-run/x", "evidence/v2/a/b"):
        kept.plant(key, b"mine")
    age(kept.folder)
    assert leftovers(kept.store) == []


def test_a_bundle_that_is_committed_meanwhile_is_left_alone(kept: Any, tmp_path: Path) -> None:
    interrupt(kept.store, tmp_path / "run")
    age(kept.folder)
    [found] = find_leftovers(kept.store, WEEK)
    keep(kept.store, tmp_path / "run")
    assert remove(kept.store, found) is False
    assert try_to_remove(kept.store, found) == "its bundle was committed meanwhile"
    assert len(list(kept.store.list())) == len(FILES) + 1


def test_an_archive_that_a_cleaner_crossed_is_whole_in_the_end(kept: Any, tmp_path: Path) -> None:
    class Crossed(Watched):
        """A cleaner removes a file just before the statement comes."""

        def put(self, key: str, data: bytes | Path, sha256: str) -> None:
            if key.endswith(STATEMENT):
                kept.store.delete(key.replace(STATEMENT, "plan.json"))
            super().put(key, data, sha256)

    keep(Crossed(kept.store), tmp_path / "run")
    assert {info.key.rpartition(f"{RUN}/")[2] for info in kept.store.list()} == {*FILES, STATEMENT}


def test_a_file_lost_in_the_moment_of_committing_is_told_with_what_puts_it_back(kept: Any, tmp_path: Path) -> None:
    class Slow(Watched):
        """A server on which a delete lands when the archiver has just looked for the last time."""

        def delete(self, key: str) -> None:
            keep(kept.store, tmp_path / "run")
            kept.store.delete(key)

    interrupt(kept.store, tmp_path / "run")
    age(kept.folder)
    [found] = find_leftovers(kept.store, WEEK)
    with pytest.raises(StoreError, match="was removed in the moment") as lost:
        remove(Slow(kept.store), found)
    assert f"prfpipe archive {RUN}" in lost.value.hint
    keep(kept.store, tmp_path / "run")
    assert {info.key.rpartition(f"{RUN}/")[2] for info in kept.store.list()} == {*FILES, STATEMENT}


def test_uploads_in_parts_are_aborted_by_age(credentials: None) -> None:
    with RichS3() as server:
        server.start_upload("old", f"evidence/v1/lev-01/{RUN}/plan.json", NOW - timedelta(days=8))
        server.start_upload("new", f"evidence/v1/lev-01/{RUN}/plan.json", NOW)
        server.start_upload("foreign", "backups/disk", NOW - timedelta(days=8))
        store = connect(server.url)
        [found] = find_leftovers(store, WEEK)
        assert (found.kind, found.upload and found.upload.id) == ("upload", "old")
        assert remove(store, found)
        assert sorted(server.uploads) == ["foreign", "new"]


def test_what_cannot_be_deleted_says_why(tmp_path: Path) -> None:
    class Locked:
        def exists(self, _key: str) -> bool:
            return False

        def delete(self, _key: str) -> None:
            raise StoreError("403 AccessDenied", hint="Ask.")

    found = Leftover("bundle", RUN, 1, NOW, ("key",), "statement")
    assert try_to_remove(Locked(), found) == "403 AccessDenied"  # type: ignore[arg-type]
