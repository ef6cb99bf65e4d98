"""The machine misbehaves: descriptors run out, the clock jumps, a disk is read-only, a subject wanders off."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.audit import samples
from prfpipe.bundle import RunFolder, read_tree
from prfpipe.doctrine import Stage
from prfpipe.errors import PrfpipeError, StoreError
from prfpipe.runlog import RunLog, read_steps
from prfpipe.store import open_store
from tests.support import bundles
from tests.support.fault_audit import audited, refusals
from tests.support.fault_points import Crossings, How
from tests.support.fault_runs import Home, go_on, kept_lines
from tests.support.subjects import code, running

ROOT = Path(__file__).resolve().parents[2]
RUN_ID = bundles.RUN_ID


# ---- descriptors ----------------------------------------------------------------------------------------

WITHOUT_DESCRIPTORS = """
import os, resource, sys
from pathlib import Path
from prfpipe.bundle import RunFolder
from prfpipe.errors import PrfpipeError
from prfpipe.store import open_store
folder = RunFolder.create(Path(sys.argv[1]), "20261123T081500Z-lev-01-3f9c2a7b")
store = open_store(sys.argv[1] + "/store")
store.put("before", b"x", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
tries = {
    "write": lambda: folder.write("plan.json", b"x"),
    "append": lambda: folder.append_to("runlog.jsonl"),
    "put": lambda: store.put("after", b"x", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    "get": lambda: store.get("before"),
}
try:
    tries[sys.argv[2]]()
except PrfpipeError as error:
    print(type(error).__name__, error.message, error.hint)
    for descriptor in held:
        os.close(descriptor)
    tries[sys.argv[2]]()
    print("fine again")
"""


@pytest.mark.parametrize("what", ["write", "append", "put", "get"])
def test_used_up_descriptors_are_said_with_what_to_do_and_nothing_is_half_done(tmp_path: Path, what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(tmp_path), what],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Too many open files" in done.stdout
    assert "raise `ulimit -n`" in done.stdout
    assert "fine again" in done.stdout


# ---- clocks ---------------------------------------------------------------------------------------------


class Jumping:
    """A wall clock that somebody sets while a run is on: it jumps by `by` at its n-th reading."""

    def __init__(self, at: int, by: timedelta) -> None:
        self.now, self.count, self.at, self.by = datetime(2026, 11, 23, 8, 15, tzinfo=UTC), 0, at, by

    def __call__(self) -> str:
        self.count += 1
        self.now += timedelta(milliseconds=10) + (self.by if self.count == self.at else timedelta())
        return self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("by", [timedelta(hours=1), -timedelta(hours=1), timedelta(days=3650), -samples.CLOCK_STEP])
def test_a_clock_that_jumps_costs_no_line_of_the_journal(tmp_path: Path, by: timedelta) -> None:
    for at in range(1, 7):
        with RunFolder.create(tmp_path / str(at), RUN_ID) as folder:
            runlog = RunLog(folder, RUN_ID, Jumping(at, by))
            for stage in (Stage.PLAN, Stage.BASELINE, Stage.PROFILE):
                runlog.started(stage)
                runlog.finished(stage)
            runlog.close()
            assert len(read_steps(folder.read(layout.RUNLOG), RUN_ID)) == 6


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(seconds=2), -timedelta(seconds=2)])
def test_a_clock_that_is_set_during_a_run_leaves_a_bundle_that_audits_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    monkeypatch.setattr(bundles, "Clock", lambda: Jumping(5, by))
    files = read_tree(bundles.build(tmp_path, bundles.Parts.of(bundles.plan())))
    assert refusals(audited(files)) == []


def test_samples_from_long_before_their_plan_are_refused_whatever_the_clock_did(tmp_path: Path) -> None:
    late = bundles.plan().provenance.model_copy(update={"created_at": "2026-11-23T09:15:00Z"})
    parts = bundles.Parts.of(bundles.plan(provenance=late))
    assert refusals(audited(read_tree(bundles.build(tmp_path, parts))))


# ---- disks ----------------------------------------------------------------------------------------------


def _under(home: Home, name: str, how: How) -> Crossings:
    """A run in which `how` happens at the first place whose label holds `name`."""
    dry = Crossings(home.root / "dry")
    dry.root.mkdir()
    with dry.hooked():
        go_on(Home(dry.root))
    at = next(number for number, label in enumerate(dry.crossed, 1) if name in label)
    return Crossings(home.root, at, how)


@pytest.mark.parametrize(
    "name", ["ftruncate lock", "write runs", "fsync keys", "write chains", "link evidence/evidence"]
)
@pytest.mark.parametrize("how", [How.NO_SPACE, How.READ_ONLY, How.IO_ERROR], ids=lambda how: how.name)
def test_a_disk_that_refuses_is_one_message_and_the_run_goes_on_later(tmp_path: Path, name: str, how: How) -> None:
    home = Home(tmp_path)
    crossings = _under(home, name, how)
    with crossings.hooked(), pytest.raises(PrfpipeError) as caught:
        go_on(home)
    assert caught.value.hint
    assert os.strerror(how.error) in caught.value.message
    run_id = go_on(home)
    assert refusals(audited(read_tree(home.runs / run_id), home.trust())) == []


def test_a_file_whose_fsync_failed_never_gets_its_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    crossings = _under(home, "fsync runs", How.IO_ERROR)
    with crossings.hooked(), pytest.raises(PrfpipeError):
        go_on(home)
    [failed] = crossings.failed
    at = crossings.crossed.index(failed)
    assert failed not in crossings.crossed[at + 1 :], "an fsync that failed was tried again"


def test_recorded_samples_outlive_a_disk_that_fills_up_and_stays_full(tmp_path: Path) -> None:
    promised: list[bytes] = []
    home = Home(tmp_path, promised.append)
    dry = Crossings(tmp_path / "dry")
    dry.root.mkdir()
    with dry.hooked():
        go_on(Home(dry.root))
    last = max(number for number, label in enumerate(dry.crossed, 1) if "samples.jsonl.gz.partial" in label)
    with Crossings(tmp_path, last - 4, How.READ_ONLY).hooked(), pytest.raises(PrfpipeError):
        go_on(home)
    [run] = (path for path in home.runs.iterdir() if path.is_dir())
    assert promised
    assert set(promised) <= kept_lines(run)


# ---- keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_stops_a_run_before_anything_is_recorded(tmp_path: Path, mode: int) -> None:
    home = Home(tmp_path)
    go_on(home)
    before = read_tree(home.runs / home.planned()[0])
    [secret] = home.keys.glob("signing.pem")
    secret.chmod(mode)
    fresh = Home(tmp_path / "second")
    fresh.root.mkdir()
    home.keys.rename(fresh.keys)
    with pytest.raises(PrfpipeError) as caught:
        go_on(fresh)
    assert "chmod" in caught.value.hint
    assert not fresh.runs.exists()
    assert read_tree(home.runs / home.planned()[0]) == before


# ---- subjects -------------------------------------------------------------------------------------------


def test_a_subject_that_changes_its_working_folder_is_measured_all_the_same(tmp_path: Path) -> None:
    with running(tmp_path, code("os.chdir('/')\nreturn os.getcwd()")) as subject:
        assert subject.results_of(subject.run([0, 1])) == ["/", "/"]
        subject.close()


def test_a_subject_that_removes_its_working_folder_ends_in_good_order(tmp_path: Path) -> None:
    with running(tmp_path, code("import shutil; shutil.rmtree(self.workdir, ignore_errors=True)\nreturn 1")) as subject:
        assert subject.results_of(subject.run([0])) == [1]
        subject.close()


def test_a_store_whose_folder_was_made_read_only_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise OSError(30, os.strerror(30))

    store = open_store(str(tmp_path / "store"))
    store.put("first", b"x", bundles.sha256_hex(b"x"))
    monkeypatch.setattr(os, "link", refusing)
    with pytest.raises(StoreError, match="Read-only file system") as caught:
        store.put("second", b"y", bundles.sha256_hex(b"y"))
    assert "mounted read-only" in caught.value.hint
    assert store.get("first") == b"x"
