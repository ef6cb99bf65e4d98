"""`prfpipe store probe`, `check` and `clean`."""

import os
from pathlib import Path
from time import time

import pytest

from tests.support import sealed
from tests.support.commands import prfpipe
from tests.support.sealed import DOWN, FIRST, SECOND

BUNDLE = Path("evidence/evidence/v1/lev-01", FIRST)
EIGHT_DAYS = 8 * 24 * 3600


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sealed.no_waiting(monkeypatch)
    for run_id in (FIRST, SECOND):
        sealed.put("evidence", run_id)
    return tmp_path


def age() -> None:
    for path in Path("evidence").rglob("*"):
        if path.is_file():
            os.utime(path, (time() - EIGHT_DAYS,) * 2)


# ---- probe ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [["elsewhere"], ["--store", "elsewhere"]])
def test_the_probe_takes_the_store_as_its_argument_too(home: Path, argv: list[str]) -> None:
    document = prfpipe("store", "probe", *argv, "--json").document
    assert document["url"] == str(home / "elsewhere")
    assert (document["level"], document["usable"]) == ("write-once-enforced", True)


def test_the_probe_ends_with_the_level_in_words() -> None:
    done = prfpipe("store", "probe")
    assert done.code == 0
    assert done.out.splitlines()[-1].startswith("write-once-enforced: ")


def test_a_store_that_cannot_be_probed_is_an_error() -> None:
    done = prfpipe("store", "probe", DOWN)
    assert (done.code, done.out) == (4, "")
    assert "nothing answers" in done.err


# ---- check ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--read-data"]])
def test_a_whole_archive_checks(flags: list[str]) -> None:
    done = prfpipe("store", "check", *flags, "--json")
    assert done.code == 0
    found = done.document
    assert (found["bundles"], found["damaged"], found["extra"], found["runs"]) == (2, 0, 0, [])
    assert found["read_data"] == bool(flags)
    assert "2 bundles" in prfpipe("store", "check", *flags).out


def test_a_missing_file_is_named_and_ends_with_1() -> None:
    (BUNDLE / "verdict.json").unlink()
    done = prfpipe("store", "check")
    assert done.code == 1
    assert f"FAIL  {FIRST}: verdict.json is missing" in done.out
    [run] = prfpipe("store", "check", "--json").document["runs"]
    assert (run["run_id"], run["problems"]) == (FIRST, ["verdict.json is missing"])


def test_a_changed_byte_needs_the_data() -> None:
    path = BUNDLE / "verdict.json"
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))
    assert prfpipe("store", "check").code == 0
    done = prfpipe("store", "check", "--read-data")
    assert done.code == 1
    assert "verdict.json is not what the statement says" in done.out


def test_the_statement_of_another_run_is_a_problem() -> None:
    (BUNDLE / "statement.dsse.json").unlink()
    other = BUNDLE.with_name(SECOND) / "statement.dsse.json"
    (BUNDLE / "statement.dsse.json").write_bytes(other.read_bytes())
    done = prfpipe("store", "check")
    assert done.code == 1
    assert f"the statement of run {SECOND}, not of {FIRST}" in done.out


def test_extra_and_uncommitted_files_are_noted() -> None:
    (BUNDLE / "notes.txt").write_bytes(b"mine")
    (BUNDLE.with_name(SECOND) / "statement.dsse.json").unlink()
    done = prfpipe("store", "check")
    assert done.code == 0
    assert f"note  {FIRST}: no statement lists notes.txt" in done.out
    assert f"note  {SECOND}: " in done.out
    assert "prfpipe store clean" in done.out


def test_lever_and_day_narrow_the_walk() -> None:
    assert prfpipe("store", "check", "--lever", "LEV-02", "--json").document["bundles"] == 0
    assert prfpipe("store", "check", "--since", "2026-11-24", "--json").document["bundles"] == 1
    assert prfpipe("store", "check", "--since", "noon").code == 2


def test_a_store_that_is_down_is_not_a_damaged_archive() -> None:
    done = prfpipe("store", "check", DOWN, "--json")
    assert (done.code, done.out) == (4, "")


# ---- clean ----------------------------------------------------------------------------------------------


def leave_behind() -> None:
    (BUNDLE / "statement.dsse.json").unlink()
    probe = Path("evidence/probe/v1/0123/object")
    probe.parent.mkdir(parents=True)
    probe.write_bytes(b"left")
    (BUNDLE / ".incoming-0123456789abcdef").write_bytes(b"half")


def test_nothing_young_is_removed() -> None:
    leave_behind()
    found = prfpipe("store", "clean", "--json").document
    assert (found["leftovers"], found["found"]) == ([], 0)


def test_a_dry_run_says_what_and_how_much_and_removes_nothing() -> None:
    leave_behind()
    age()
    before = sorted(Path("evidence").rglob("*"))
    found = prfpipe("store", "clean", "--dry-run", "--json").document
    assert [item["kind"] for item in found["leftovers"]] == ["bundle", "probe", "upload"]
    assert not any(item["removed"] for item in found["leftovers"])
    assert found["size"] > 0
    assert "would be removed" in prfpipe("store", "clean", "--dry-run").out
    assert sorted(Path("evidence").rglob("*")) == before


def test_leftovers_go_and_bundles_stay() -> None:
    leave_behind()
    age()
    done = prfpipe("store", "clean")
    assert done.code == 0
    assert "3 leftovers found, 0 of them kept" in done.out
    assert not BUNDLE.exists()
    assert not Path("evidence/probe").exists()
    assert [item["run_id"] for item in prfpipe("bundles", "--json").document] == [SECOND]
    assert prfpipe("store", "check", "--read-data").code == 0


@pytest.mark.parametrize("span", ["0d", "59m"])
def test_what_may_be_going_on_now_is_not_asked_for(span: str) -> None:
    done = prfpipe("store", "clean", "--older-than", span)
    assert done.code == 2
    assert "at least 1h" in done.err


def test_what_cannot_be_removed_is_counted_and_ends_with_4(monkeypatch: pytest.MonkeyPatch) -> None:
    from prfpipe.errors import StoreError
    from prfpipe.store.directory import DirectoryStore

    def refuse(*_: object) -> None:
        raise StoreError("403 AccessDenied", hint="Ask.")

    leave_behind()
    age()
    monkeypatch.setattr(DirectoryStore, "delete", refuse)
    done = prfpipe("store", "clean", "--json")
    assert done.code == 4
    assert done.document["kept"] == 2
    assert {item["kept"] for item in done.document["leftovers"]} == {"403 AccessDenied", None}
