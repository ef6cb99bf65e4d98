"""Whether an archive is still whole: each way to be damaged has a name."""

import time
from pathlib import Path
from typing import Any

import pytest

from prfpipe.errors import StoreUnavailableError, TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store.checking import Checked, check_bundles
from tests import store_servers as s3
from tests.store_bundles import FILES, LATER, OTHER_LEVER, RUN, Watched, commit, keep, manifest_of, read_manifest
from tests.store_servers import FaultyS3
from tests.unit.store.test_store_traits import connect


def read(data: bytes, _run_id: str) -> dict[str, FileDigest]:
    try:
        return read_manifest(data)
    except ValueError as error:
        raise TamperError("no statement", hint="Fetch it again.") from error


def check(store: Any, **options: Any) -> list[Checked]:
    return list(check_bundles(store, read, **options))


def plant(kept: Any, name: str, data: bytes) -> None:
    """Change a file of the bundle behind the store's back."""
    kept.plant(f"evidence/v1/lev-01/{RUN}/{name}", data)
    time.sleep(0.05)  # the server believes what it saw for 20 ms


@pytest.mark.parametrize("read_data", [False, True])
def test_a_whole_archive_has_no_problems(kept: Any, tmp_path: Path, read_data: bool) -> None:
    for run_id, lever in ((RUN, "LEV-01"), (LATER, "LEV-01"), (OTHER_LEVER, "LEV-02")):
        keep(kept.store, tmp_path / "run", run_id, lever)
    found = check(kept.store, read_data=read_data)
    assert [item.ref.run_id for item in found] == [RUN, LATER, OTHER_LEVER]
    assert all(item.committed and not item.problems and not item.extra for item in found)
    assert {item.files for item in found} == {len(FILES) + 1}
    assert [item.ref.run_id for item in check(kept.store, lever="LEV-02")] == [OTHER_LEVER]
    assert [item.ref.run_id for item in check(kept.store, since=found[1].ref.started)] == [LATER]


def test_a_missing_file_is_named(kept: Any, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    kept.store.delete(f"evidence/v1/lev-01/{RUN}/plan.json")
    [found] = check(kept.store)
    assert found.problems == ("plan.json is missing",)


def test_another_size_is_seen_in_the_listing(kept: Any, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    plant(kept, "plan.json", b"{} ")
    [found] = check(kept.store)
    assert found.problems == ("plan.json has 3 bytes, not 2",)


def test_a_changed_byte_is_seen_when_the_data_is_read(kept: Any, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    plant(kept, "plan.json", b"[]")
    assert check(kept.store)[0].problems == ()
    assert check(kept.store, read_data=True)[0].problems == ("plan.json is not what the statement says",)


def test_a_statement_that_cannot_be_read_is_a_problem_and_the_walk_goes_on(kept: Any, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    keep(kept.store, tmp_path / "run", LATER)
    plant(kept, STATEMENT, b"nothing")
    first, second = check(kept.store)
    assert (first.problems, second.problems) == (("no statement",), ())


def test_a_statement_with_hostile_names_is_a_problem(kept: Any) -> None:
    commit(kept.store, manifest_of({"../escape": b"x"}))
    [found] = check(kept.store)
    assert "not safe" in found.problems[0]


def test_what_no_statement_lists_is_named_and_is_no_damage(kept: Any, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    plant(kept, "notes/mine.txt", b"hello")
    [found] = check(kept.store)
    assert (found.problems, found.extra) == ((), ("notes/mine.txt",))


def test_what_is_not_committed_is_told_and_is_no_damage(kept: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        keep(Watched(kept.store, fail_at=2), tmp_path / "run")
    [found] = check(kept.store)
    assert (found.committed, found.problems, len(found.extra)) == (False, (), 2)


def test_a_store_that_fails_is_a_failure_and_not_a_damaged_bundle(faulty: FaultyS3, tmp_path: Path) -> None:
    store = connect(faulty.url)
    keep(store, tmp_path / "run")
    faulty.fail("GET", s3.answer(503, "SlowDown"), times=1000)
    with pytest.raises(StoreUnavailableError):
        check(store)


def test_a_file_that_goes_while_it_is_checked_is_a_problem(faulty: FaultyS3, tmp_path: Path) -> None:
    store = connect(faulty.url)
    keep(store, tmp_path / "run")
    faulty.fail("GET", lambda _: False)
    faulty.fail("GET", s3.answer(404, "NoSuchKey"))
    [found] = check(store, read_data=True)
    assert found.problems == ("art-01-baseline/report.json is listed, and not there",)
