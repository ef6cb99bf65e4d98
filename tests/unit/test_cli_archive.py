"""`prfpipe archive`: what could not be archived gets there at last."""

from pathlib import Path

import pytest

from prfpipe.layout import STATEMENT
from tests.support import sealed
from tests.support.commands import prfpipe
from tests.support.sealed import DOWN, FIRST, RUNS, SECOND, THIRD


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sealed.no_waiting(monkeypatch)
    return tmp_path


def archived() -> list[str]:
    return [item["run_id"] for item in prfpipe("bundles", "--json").document if item["state"] == "archived"]


def test_a_run_is_archived_and_again_is_no_change() -> None:
    sealed.seal(RUNS)
    done = prfpipe("archive", FIRST, "--json")
    assert done.code == 0
    [item] = done.document["archived"]
    assert (item["run_id"], item["lever"]) == (FIRST, "LEV-01")
    assert Path(item["bundle"], STATEMENT).read_bytes() == (RUNS / FIRST / STATEMENT).read_bytes()
    assert prfpipe("archive", FIRST).code == 0
    assert archived() == [FIRST]
    assert prfpipe("audit", FIRST).code == 0


def test_all_archives_what_the_store_lacks_and_nothing_else() -> None:
    sealed.put("evidence", SECOND)
    for run_id in (FIRST, SECOND, THIRD):
        sealed.seal(RUNS, run_id)
    done = prfpipe("archive", "--all", "--json")
    assert done.code == 0
    assert [item["run_id"] for item in done.document["archived"]] == [FIRST, THIRD]
    assert prfpipe("archive", "--all", "--json").document == {"archived": [], "failed": 0}
    assert "0 archived, 0 failed" in prfpipe("archive", "--all").out


def test_one_that_fails_does_not_keep_the_others() -> None:
    for run_id in (FIRST, SECOND):
        sealed.seal(RUNS, run_id)
    (RUNS / FIRST / "plan.json").write_bytes(b"{}")
    done = prfpipe("archive", "--all", "--json")
    assert done.code == 4
    assert [item["run_id"] for item in done.document["archived"]] == [SECOND]
    assert done.document["failed"] == 1
    assert f"{FIRST}/plan.json" in done.err


def test_a_changed_run_is_not_archived() -> None:
    sealed.seal(RUNS)
    (RUNS / FIRST / "report.html").write_bytes(b"better")
    done = prfpipe("archive", FIRST)
    assert done.code == 1
    assert "report.html" in done.err
    assert archived() == []


def test_a_store_that_is_down_leaves_the_run_and_says_how_to_go_on() -> None:
    sealed.seal(RUNS)
    done = prfpipe("archive", FIRST, "--store", DOWN)
    assert (done.code, done.out) == (4, "")
    assert "nothing answers" in done.err
    assert f"to archive it later: prfpipe archive {FIRST}" in done.err
    assert (RUNS / FIRST / STATEMENT).is_file()


def test_a_run_that_is_not_finished_is_not_archived() -> None:
    (sealed.seal(RUNS) / STATEMENT).unlink()
    done = prfpipe("archive", FIRST)
    assert done.code == 2
    assert f"run {FIRST} is not finished" in done.err
    assert f"prfpipe evaluate LEV-01 --resume {FIRST}" in done.err
    assert prfpipe("archive", "--all", "--json").document["archived"] == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [([], "which run?"), ([FIRST, "--all"], "which run?"), ([FIRST], f"no run {FIRST}"), (["../x"], "is not a run id")],
    ids=["neither", "both", "unknown", "path"],
)
def test_what_is_no_run_here_is_refused(argv: list[str], said: str) -> None:
    done = prfpipe("archive", *argv)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_run_that_somebody_works_on_is_left_alone() -> None:
    from prfpipe.bundle import RunFolder

    with RunFolder(sealed.seal(RUNS)):
        done = prfpipe("archive", FIRST)
    assert done.code == 4
    assert "another process works on this run" in done.err
