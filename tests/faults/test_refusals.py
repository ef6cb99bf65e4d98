"""The disk, the host or the store refuses: one clear message, nothing recorded is lost, the same run goes on later."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prfpipe import disk, host, layout
from prfpipe.cli.output import EXIT_CODES
from prfpipe.doctrine import Stage
from tests.e2e import evaluations, levers
from tests.e2e.evaluations import Done, evaluate, prfpipe

FULL_AT = [
    layout.PLAN,
    layout.SAMPLES[Stage.BASELINE] + layout.PARTIAL_SUFFIX,
    layout.SAMPLES[Stage.BASELINE],
    layout.VERIFY,
    layout.RUNLOG,
    layout.SAMPLES[Stage.REPROFILE] + layout.PARTIAL_SUFFIX,
    layout.REPORT,
    layout.STATEMENT,
]
"""Files at which the disk is full, in the order in which a run writes them; the journal when a stage finished."""


class FullDisk:
    """The lowest door: half of a write to `name` reaches the disk, then there is no space left. Once."""

    def __init__(self, name: str) -> None:
        self.name, self.fired, self._current = name, False, ""
        self._write_all, self._write_new = disk._write_all, disk.write_new

    def write_new(self, root: int, name: str, data: bytes, *, mode: int = 0o644) -> None:
        self._current = name
        try:
            self._write_new(root, name, data, mode=mode)
        finally:
            self._current = ""

    def write_all(self, descriptor: int, data: bytes) -> None:
        name = self._current or str(Path(f"/proc/self/fd/{descriptor}").readlink())
        wanted = name.endswith(self.name) and (self.name != layout.RUNLOG or b'"finished"' in data)
        if wanted and not self.fired:
            self.fired = True
            os.write(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write_all(descriptor, data)


@contextmanager
def full_at(name: str) -> Iterator[FullDisk]:
    full = FullDisk(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "_write_all", full.write_all)
        patch.setattr(disk, "write_new", full.write_new)
        yield full


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """One run that meets a full disk at each of `FULL_AT`, resumed each time; `""` is how it ended at last."""
    home = tmp_path_factory.mktemp("full")
    folder = evaluations.lever(home, profiles=["py-spy"])
    ends: dict[str, Done] = {}
    resume: tuple[str, ...] = ()
    for name in FULL_AT:
        with full_at(name) as failing:
            ends[name] = evaluate(home, folder, *resume)
        assert failing.fired, name
        if name != layout.PLAN:
            [run] = (home / ".prfpipe" / "runs").glob(f"*/{layout.PLAN}")
            resume = ("--resume", run.parent.name)
    ends[""] = evaluate(home, folder, *resume)
    return ends


@pytest.mark.parametrize("name", FULL_AT)
def test_a_full_disk_ends_with_one_message_that_says_what_to_do(full: dict[str, Done], name: str) -> None:
    done = full[name]
    assert (done.code, done.out) == (4, "")
    assert "No space left on device" in done.err
    assert "Free some space, then resume the run" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", FULL_AT[1:])
def test_a_full_disk_names_the_run_that_can_go_on(full: dict[str, Done], name: str) -> None:
    assert "--resume 2" in full[name].err


def test_after_full_disks_at_every_kind_of_write_the_bundle_is_whole(full: dict[str, Done]) -> None:
    done = full[""]
    assert done.code in EXIT_CODES.values(), done.err  # which verdict so short a run comes to is not the point here
    audited = prfpipe(done.home, "audit", str(done.bundle))
    assert audited.code == 0, audited.out
    assert not [path for path in done.bundle.rglob("*") if path.name.startswith(".")]


# ---- places that cannot be written ---------------------------------------------------------------------


def test_a_folder_of_runs_that_cannot_be_made_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = evaluate(tmp_path, evaluations.lever(tmp_path), PRFPIPE_RUNS=str(tmp_path / "file" / "runs"))
    assert (done.code, done.out) == (4, "")
    assert "Not a directory" in done.err
    assert "baseline:" not in done.err


def test_a_read_only_folder_of_runs_is_refused_and_says_whom_to_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mkdir = evaluations.lever(tmp_path), Path.mkdir

    def refusing(self: Path, *arguments: int, **options: bool) -> None:
        if "runs" in self.parts:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        mkdir(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refusing)
    done = evaluate(tmp_path, folder)
    assert done.code == 4
    assert "Read-only file system" in done.err
    assert "who may write there" in done.err


# ---- the host is taken ---------------------------------------------------------------------------------


def test_a_second_evaluation_on_the_host_is_refused_and_told_who_measures(tmp_path: Path) -> None:
    folder = evaluations.lever(tmp_path)
    lock = Path(evaluations.own_environment(tmp_path)["PRFPIPE_LOCK"])
    with evaluations.at_home(tmp_path), host.exclusive(lock):
        done = evaluate(tmp_path, folder)
    assert done.code == 4
    assert f"process {os.getpid()} is measuring on this host" in done.err
    assert not (tmp_path / ".prfpipe").exists()


# ---- the store refuses ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A run whose store cannot be written; the lever folder is gone afterwards."""
    home = tmp_path_factory.mktemp("refused")
    (home / "file").write_text("")
    return evaluate(home, evaluations.lever(home, profiles=["py-spy"]), "--store", str(home / "file" / "evidence"))


def test_a_store_that_refuses_leaves_a_sealed_bundle_here_and_names_the_command_that_goes_on(refused: Done) -> None:
    assert (refused.code, refused.out) == (4, "")
    assert "Not a directory" in refused.err
    assert f"--resume {refused.run_folder.name}" in refused.err
    audited = prfpipe(refused.home, "audit", str(refused.run_folder))
    assert audited.code == 0, audited.out


def test_archiving_later_measures_nothing_and_needs_no_unchanged_lever_folder(refused: Done) -> None:
    before = (refused.run_folder / layout.RUNLOG).read_bytes()
    candidate = refused.home / "lever" / "candidate.py"
    candidate.write_text(candidate.read_text() + "\n# changed while the store was away\n")
    done = evaluate(refused.home, refused.home / "lever", "--resume", refused.run_folder.name)
    assert done.code in EXIT_CODES.values(), done.err  # which verdict so short a run comes to is not the point here
    assert "baseline:" not in done.err
    assert (refused.run_folder / layout.RUNLOG).read_bytes() == before
    assert prfpipe(refused.home, "audit", done.document["run_id"]).code == 0


@pytest.mark.parametrize(
    "store",
    ["s3://user:hunter2@bucket/x", "s3://bucket?endpoint=http://user:hunter2@127.0.0.1:9", "gopher://hunter2"],
)
def test_a_store_that_cannot_be_is_refused_before_anything_is_measured(tmp_path: Path, store: str) -> None:
    done = evaluate(tmp_path, evaluations.lever(tmp_path), "--store", store)
    assert (done.code, done.out) == (2, "")
    assert "hunter2" not in done.err
    assert not (tmp_path / ".prfpipe").exists()


# ---- secrets -------------------------------------------------------------------------------------------


def test_a_secret_in_the_environment_reaches_no_archived_byte(tmp_path: Path) -> None:
    secret = "hunter2-of-the-environment"
    names = ("AWS_SECRET_ACCESS_KEY", "PRFPIPE_TOKEN", "DATABASE_URL", "PYTHONWARNINGS_SECRET")
    folder = evaluations.lever(tmp_path, **levers.reading_the_environment(tmp_path))
    done = evaluate(tmp_path, folder, PRFPIPE_SANDBOX="off", **dict.fromkeys(names, secret))
    assert done.code in {0, 1, 3}, done.err
    assert not [path for path in done.bundle.rglob("*") if secret.encode() in evaluations.plain_bytes(path)]
    assert secret not in done.out + done.err
    assert (tmp_path / "seen").read_text() == ""
