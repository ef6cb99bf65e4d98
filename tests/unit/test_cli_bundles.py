"""`prfpipe bundles`: pages of the store, and what this machine still has to bring."""

import json
from pathlib import Path

import pytest

from tests.support import sealed
from tests.support.commands import prfpipe
from tests.support.sealed import DOWN, FIRST, RUNS, SECOND, THIRD


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sealed.no_waiting(monkeypatch)
    return tmp_path


def states(*argv: str) -> dict[str, str]:
    return {item["run_id"]: item["state"] for item in prfpipe("bundles", "--json", *argv).document}


def test_finished_runs_that_are_not_in_the_store_are_unarchived() -> None:
    sealed.put("evidence", SECOND)
    for run_id in (FIRST, SECOND, THIRD):
        sealed.seal(RUNS, run_id)
    assert states() == {FIRST: "unarchived", SECOND: "archived", THIRD: "unarchived"}
    assert list(states()) == [FIRST, SECOND, THIRD]
    assert states("--lever", "LEV-02") == {}
    assert states("--since", "2026-11-24") == {SECOND: "archived", THIRD: "unarchived"}
    text = prfpipe("bundles").out.splitlines()
    assert len(text) == 4
    assert "unarchived" in text[1]
    assert str(RUNS / FIRST) in text[1]


def test_runs_that_are_not_sealed_are_not_listed() -> None:
    (RUNS / FIRST).mkdir(parents=True)
    (RUNS / f"{FIRST}.work").mkdir()
    assert states() == {}


def test_what_is_gone_from_the_store_is_unarchived_again() -> None:
    sealed.seal(RUNS)
    prfpipe("archive", FIRST)
    assert states() == {FIRST: "archived"}
    for path in Path("evidence").rglob("statement.dsse.json"):
        path.unlink()
    assert states() == {FIRST: "unarchived"}


def test_a_store_that_is_down_still_shows_what_waits_for_it() -> None:
    sealed.seal(RUNS)
    done = prfpipe("bundles", "--store", DOWN, "--json")
    assert done.code == 4
    assert [(item["run_id"], item["state"]) for item in done.document] == [(FIRST, "unarchived")]
    assert "nothing answers" in done.err


def test_what_a_store_took_does_not_wait_for_it_when_it_is_down() -> None:
    for run_id in (FIRST, SECOND):
        sealed.seal(RUNS, run_id)
    prfpipe("archive", FIRST)
    Path("evidence").rename("elsewhere")
    Path("evidence").symlink_to("nowhere/at/all")
    note = RUNS / f"{FIRST}.archived"
    assert json.loads(note.read_bytes()) == {"store": str(Path("evidence").absolute())}
    Path("evidence").unlink()
    Path("evidence").write_text("a file stands where the store was")
    done = prfpipe("bundles", "--json")
    assert done.code == 4
    assert [item["run_id"] for item in done.document] == [SECOND]


def test_a_store_that_is_down_is_an_error_where_nothing_waits_for_it() -> None:
    done = prfpipe("bundles", "--store", DOWN, "--json")
    assert (done.code, done.out) == (4, "")


def test_pages_follow_each_other() -> None:
    for run_id in (FIRST, SECOND):
        sealed.put("evidence", run_id)
    sealed.seal(RUNS, THIRD)
    assert list(states("--limit", "2")) == [FIRST, SECOND]
    assert f"more: --after {SECOND}" in prfpipe("bundles", "--limit", "2").out
    assert list(states("--limit", "2", "--after", SECOND)) == [THIRD]
    assert "more" not in prfpipe("bundles", "--limit", "3").out
    assert prfpipe("bundles", "--limit", "0").code == 2


def test_a_listing_that_breaks_off_is_no_whole_document(monkeypatch: pytest.MonkeyPatch) -> None:
    from prfpipe.errors import StoreUnavailableError
    from prfpipe.store import directory

    for run_id in (FIRST, SECOND):
        sealed.put("evidence", run_id)
    walk = directory.walk

    def breaks(folder: int, anchor: str, after: str) -> object:
        for info in walk(folder, anchor, after):
            if SECOND in info.key:
                raise StoreUnavailableError("the plug was pulled", hint="Put it in again.")
            yield info

    monkeypatch.setattr(directory, "walk", breaks)
    done = prfpipe("bundles", "--json")
    assert done.code == 4
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.out)
