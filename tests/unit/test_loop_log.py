"""What a run says is in its bundle: with times, bounded, covered like any file, and whole after a crash."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, SubjectHangError
from prfpipe.lever import Lever, load_lever
from prfpipe.loop import LOOP, Options, Run, log
from prfpipe.loop.context import RunContext
from prfpipe.models import Effort
from prfpipe.progress import Silent
from prfpipe.runlog import RunLog
from prfpipe.settings import Settings
from tests.support.fault_audit import audited, refusals
from tests.support.fault_runs import Home, go_on, tree_of
from tests.support.levers import write_lever

VERIFIER = Path(__file__).parents[2] / "docs" / "verify.py"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S.*")
SECRET = "hunter2"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=str(tmp_path / "store"), runs=tmp_path / "runs", lock=tmp_path / "lock")


@pytest.fixture
def lever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lever:
    """Its stages only say what they do."""

    def saying(context: RunContext) -> None:
        context.progress.say("loop: at work", done=0.5, remaining=3)

    for stage in LOOP:
        monkeypatch.setitem(LOOP, stage, saying)
    return load_lever(write_lever(tmp_path / "lever"))


def start(lever: Lever, settings: Settings) -> Run:
    return Run.start(lever, Options(Effort.QUICK, ("prfpipe",), accept_noise=True), settings, Silent())


def lines(run: Run, name: str = layout.LOG) -> list[str]:
    found = run.context.folder.read(name).decode().splitlines()
    assert all(LINE.fullmatch(line) for line in found), found
    return [line.partition(" ")[2] for line in found]


def places(told: list[str], *wanted: str) -> list[int]:
    """Where each of these texts begins a line, in order."""
    return [next(at for at, line in enumerate(told) if line.startswith(text)) for text in wanted]


# ---- in the bundle --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A whole run whose bundle is in its store."""
    home = Home(tmp_path_factory.mktemp("home"))
    go_on(home)
    return home


@pytest.fixture
def files(home: Home) -> dict[str, bytes]:
    [statement] = home.store.rglob(layout.STATEMENT)
    return tree_of(statement.parent)


def test_a_bundle_says_what_its_run_said_from_plan_to_verdict(home: Home, files: dict[str, bytes]) -> None:
    told = files[layout.LOG].decode().splitlines()
    assert all(LINE.fullmatch(line) for line in told)
    words = [line.partition(" ")[2] for line in told]
    stages = [f"{stage}: " for stage in LOOP]
    found = places(words, "plan: probing", "plan: run ", *stages)
    assert found == sorted(found)
    assert words[-1].startswith("decide: adopt, claim met. ")
    assert not any(line.startswith("archive") for line in words)


def test_the_log_is_listed_and_both_verifiers_accept_it(home: Home, files: dict[str, bytes]) -> None:
    assert audited(files, home.trust()).accepted
    [bundle] = (path.parent for path in home.store.rglob(layout.STATEMENT))
    second = subprocess.run([sys.executable, VERIFIER, bundle], capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stdout
    assert layout.LOG.encode() in files[layout.RUNLOG]
    assert layout.LOG_PARTIAL not in files


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({layout.LOG: b"2026-11-23T08:15:00.000Z another story\n"}, "digests"),
        ({layout.LOG: None}, "files"),
        ({layout.LOG_PARTIAL: b"more\n"}, "files"),
    ],
    ids=["changed", "removed", "another one"],
)
def test_a_log_that_was_tampered_with_refuses_the_bundle(
    home: Home, files: dict[str, bytes], change: dict[str, bytes | None], check: str
) -> None:
    tampered = {name: data for name, data in {**files, **change}.items() if data is not None}
    assert refusals(audited(tampered, home.trust())) == [check]


# ---- while it grows -------------------------------------------------------------------------------------


def test_what_is_said_before_there_is_a_folder_is_kept_too(lever: Lever, settings: Settings) -> None:
    with start(lever, settings) as run:
        found = lines(run, layout.LOG_PARTIAL)
    assert found[0].startswith("plan: probing this machine's noise")
    assert found[-1].startswith(f"plan: run {run.run_id}")


def test_a_resumed_run_goes_on_in_the_same_log(
    lever: Lever, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(_: RunContext) -> None:
        raise SubjectHangError("no answer within 60 s", hint="wait")

    with monkeypatch.context() as patch:
        patch.setitem(LOOP, Stage.PROVE, hang)
        with pytest.raises(SubjectHangError), start(lever, settings) as run:
            run.perform_all()
    with Run.resume(lever, run.run_id, settings, Silent()) as again:
        again.perform_all()
        told = lines(again)
    order = ["plan: probing", "loop: at work   50%  about 3 s left", "prove: failed: no answer within 60 s"]
    found = places(told, *order, "resumed after stage profile", "verify: ", "decide: ")
    assert found == sorted(found)


def test_a_line_that_a_crash_cut_off_is_taken_out(lever: Lever, settings: Settings) -> None:
    with start(lever, settings) as run:
        pass
    with (settings.runs / run.run_id / layout.LOG_PARTIAL).open("ab") as growing:
        growing.write(b"2026-11-23T08:15:00.000Z half a li")
    with Run.resume(lever, run.run_id, settings, Silent()) as again:
        assert lines(again, layout.LOG_PARTIAL)[-1] == "resumed after stage plan"


def test_a_run_that_ended_while_it_decided_has_one_log_with_both_attempts(
    lever: Lever, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = RunLog.finished

    def refusing(self: RunLog, stage: str) -> None:
        if stage == Stage.DECIDE:
            raise BundleError("no space left", hint="Free some.")
        finished(self, stage)

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "finished", refusing)
        with pytest.raises(BundleError), start(lever, settings) as run:
            run.perform_all()
    assert (settings.runs / run.run_id / layout.LOG).exists()
    with Run.resume(lever, run.run_id, settings, Silent()) as again:
        again.perform_all()
        told = lines(again)
    assert sum(line.startswith("decide: ") for line in told) == 2
    assert "resumed after stage reprofile" in told


def test_a_run_that_is_decided_keeps_its_log_as_it_is(lever: Lever, settings: Settings) -> None:
    with start(lever, settings) as run:
        run.perform_all()
        before = lines(run)
    with Run.resume(lever, run.run_id, settings, Silent()) as again:
        again.context.progress.say("archive: what the store guarantees")
        assert lines(again) == before


# ---- what it holds --------------------------------------------------------------------------------------


def test_the_log_is_bounded_and_what_stages_find_has_room_in_it(
    lever: Lever, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_PROGRESS_BYTES", 4000)

    def talkative(context: RunContext) -> None:
        for number in range(1000):
            context.progress.say(f"stage {number}: {'x' * 200}")

    monkeypatch.setitem(LOOP, Stage.BASELINE, talkative)
    with start(lever, settings) as run:
        run.perform_all()
        told = lines(run)
    assert 4000 < sum(map(len, told)) < 4000 + 16 * log._LONGEST_LINE
    assert told.count("the log is nearly full: no more progress is kept") == 1
    assert told[-1].startswith("decide: ")


def test_nothing_is_kept_once_it_is_full(lever: Lever, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 0)
    with start(lever, settings) as run:
        run.perform_all()
        assert len(lines(run)) <= 2


def test_credentials_and_terminal_escapes_are_not_kept(
    lever: Lever, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaky(context: RunContext) -> None:
        context.progress.say(f"reading: s3://me:{SECRET}@host/x?token={SECRET}\nplan: forged \x1b[2J\r")

    monkeypatch.setitem(LOOP, Stage.BASELINE, leaky)
    with start(lever, settings) as run:
        run.perform(Stage.BASELINE)
        [told] = [line for line in lines(run, layout.LOG_PARTIAL) if line.startswith("reading")]
    assert SECRET not in told
    assert "\x1b" not in told
