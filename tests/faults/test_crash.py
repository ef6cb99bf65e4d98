"""kill -9 of the whole process group in every stage, one after the other, of one run that is resumed each time."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.cli.output import EXIT_CODES
from prfpipe.digests import sha256_file
from prfpipe.doctrine import Stage
from tests.e2e import evaluations, levers

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 300
ENOUGH_LINES = 4
"""Header, schedule and two invocations: the last one may not have been promised to be on the disk yet."""


@dataclass
class Crash:
    """What one killed process left behind."""

    code: int
    err: str
    journal: bytes
    claimed: dict[str, str]
    orphans: list[str]


@dataclass
class Chain:
    """One run that was killed in every stage, and how it ended at last."""

    home: Path
    crashes: dict[str, Crash] = field(default_factory=dict)
    without_plan: tuple[int, str] = (0, "")
    finished: tuple[int, str, str] = (0, "", "")
    again: tuple[int, str, str] = (0, "", "")

    @property
    def run(self) -> Path:
        """The run's folder; runs that ended before they had a plan are not it."""
        [found] = (self.home / ".prfpipe" / "runs").glob("*/plan.json")
        return found.parent


def start(home: Path, *argv: str, die: str = "", endless: str = "") -> subprocess.Popen[str]:
    """The command line with short efforts, in a process group of its own; `endless`: a stage that does not end."""
    told = {"PRFPIPE_TEST_DIE": die, "PRFPIPE_TEST_ENDLESS": endless, "PYTHONPATH": str(ROOT)}
    words = ("evaluate", str(home / "lever"), "--inline", "--json", "--accept-noise", "--effort", "rigorous", *argv)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PRFPIPE_", "AWS_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.evaluations", *words],
        cwd=home,
        env={**kept, **evaluations.own_environment(home), **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def journal(home: Path) -> bytes:
    """The journal of the newest run, if there is one already."""
    found = sorted((home / ".prfpipe" / "runs").glob(f"*/{layout.RUNLOG}"), key=lambda path: path.stat().st_mtime_ns)
    return found[-1].read_bytes() if found else b""


def in_stage(home: Path, stage: Stage) -> bool:
    """Whether the stage is running and has children at work: a profiler, or subjects with samples recorded."""
    lines = journal(home).splitlines()
    if not lines or not lines[-1].endswith(b"}") or json.loads(lines[-1])["stage"] != stage:
        return False
    if stage in layout.SAMPLES:
        partials = (home / ".prfpipe" / "runs").glob(f"*/{layout.SAMPLES[stage]}{layout.PARTIAL_SUFFIX}")
        return any(path.read_bytes().count(b"\n") >= ENOUGH_LINES for path in partials)
    wanted = "py-spy record" if stage is Stage.PROFILE else "runner.py subject"
    return any(wanted in line for line in evaluations.processes_of(home))


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Poll; the process must not end before the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if process and process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode} too early: {process.communicate()[1]}")
        if time.monotonic() > deadline:
            raise AssertionError("waited for too long")
        time.sleep(0.002)


def remains(home: Path, process: subprocess.Popen[str]) -> Crash:
    """Wait for the end of a process, then look at what is left of it."""
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    # The kernel kills the children when their parent is gone; that they are gone too takes a moment.
    orphans = evaluations.left_behind(home)
    text = journal(home)
    steps = [json.loads(line) for line in text.splitlines()]
    names = [name for step in steps for name in step["files"]]
    [folder] = {
        path.parent for path in (home / ".prfpipe" / "runs").glob("*/runlog.jsonl") if path.read_bytes() == text
    }
    claimed = {name: sha256_file(folder / name) for name in names}
    return Crash(process.returncode, err, text, claimed, orphans)


def killed_in(home: Path, stage: Stage, *argv: str) -> Crash:
    """Kill the whole group while the stage has children at work."""
    process = start(home, *argv, endless=stage)
    wait_until(lambda: in_stage(home, stage), process)
    os.killpg(process.pid, signal.SIGKILL)
    return remains(home, process)


def killed_at(home: Path, die: str, *argv: str) -> Crash:
    """Let the process kill its whole group where a file gets its name."""
    return remains(home, start(home, *argv, die=die))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """One run, killed everywhere, resumed each time."""
    home = tmp_path_factory.mktemp("crash")
    evaluations.lever(home, profiles=["py-spy"])
    made = Chain(home)
    made.crashes["plan"] = killed_at(home, "before:plan.json")
    [early] = (home / ".prfpipe" / "runs").iterdir()
    code, _, err = ended(start(home, "--resume", early.name))
    made.without_plan = (code, err)
    made.crashes["baseline"] = killed_in(home, Stage.BASELINE)
    resume = ("--resume", made.run.name)
    made.crashes["profile"] = killed_in(home, Stage.PROFILE, *resume)
    made.crashes["prove"] = killed_in(home, Stage.PROVE, *resume)
    made.crashes["implement"] = killed_at(home, "before:tree.json", *resume)
    made.crashes["verify"] = killed_in(home, Stage.VERIFY, *resume)
    with (made.run / layout.RUNLOG).open("ab") as torn:
        torn.write(b'{"files":{},"note":"","previous":"')
    made.crashes["reprofile"] = killed_in(home, Stage.REPROFILE, *resume)
    made.crashes["decide"] = killed_at(home, "before:report.html", *resume)
    made.crashes["seal"] = killed_at(home, "before:statement.dsse.json", *resume)
    made.crashes["archive"] = killed_at(home, "before:plan.json", *resume)
    made.crashes["commit"] = killed_at(home, "after:statement.dsse.json", *resume)
    made.finished = ended(start(home, *resume))
    made.again = ended(start(home, *resume))
    return made


POINTS = [
    "plan", "baseline", "profile", "prove", "implement", "verify", "reprofile", "decide", "seal", "archive", "commit",
]  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_no_process_outlives_a_kill(chain: Chain, point: str) -> None:
    crash = chain.crashes[point]
    assert crash.code == -signal.SIGKILL, crash.err
    assert crash.orphans == []


@pytest.mark.parametrize("point", POINTS[1:])
def test_what_was_finished_before_a_kill_is_neither_run_again_nor_changed(chain: Chain, point: str) -> None:
    crash, final = chain.crashes[point], (chain.run / layout.RUNLOG).read_bytes()
    assert final.startswith(crash.journal[: crash.journal.rfind(b"\n") + 1])
    assert {name: sha256_file(chain.run / name) for name in crash.claimed} == crash.claimed


@pytest.mark.parametrize("point", ["baseline", "profile", "prove", "implement", "verify", "reprofile", "decide"])
def test_the_stage_that_was_killed_had_begun_and_was_begun_again(chain: Chain, point: str) -> None:
    last = json.loads(chain.crashes[point].journal.splitlines()[-1])
    assert (last["stage"], last["status"]) == (point, "started")
    steps = [json.loads(line) for line in (chain.run / layout.RUNLOG).read_bytes().splitlines()]
    assert [step["status"] for step in steps if step["stage"] == point] == ["started", "started", "finished"]


@pytest.mark.parametrize("stage", list(layout.SAMPLES))
def test_an_interrupted_measurement_starts_a_new_set_and_the_old_one_is_kept(chain: Chain, stage: Stage) -> None:
    kept = gzip.decompress((chain.run / layout.interrupted_samples(stage, 1)).read_bytes())
    assert b'"interrupted":"interrupted' in kept.splitlines()[0]
    first = kept.splitlines()[2]
    whole = gzip.decompress((chain.run / layout.SAMPLES[stage]).read_bytes())
    assert b'"kind":"invocation"' in first
    assert first not in whole.splitlines()


def test_a_run_that_died_before_it_had_a_plan_cannot_be_resumed_and_says_so(chain: Chain) -> None:
    code, err = chain.without_plan
    assert code == 2
    assert "ended before it had a plan" in err
    assert "Start a new run" in err


def test_the_run_ends_as_if_nothing_had_happened_and_audits_clean(chain: Chain) -> None:
    code, out, err = chain.finished
    assert code in EXIT_CODES.values(), err
    bundle = json.loads(out)["bundle"]
    for folder in (str(chain.run), bundle):
        audited = evaluations.prfpipe(chain.home, "audit", folder)
        assert audited.code == 0, audited.out


def test_resuming_a_finished_run_changes_nothing_and_tells_the_verdict_again(chain: Chain) -> None:
    first, second = json.loads(chain.finished[1]), json.loads(chain.again[1])
    assert chain.again[0] == chain.finished[0], chain.again[2]
    assert {**first, "wall_seconds": 0} == {**second, "wall_seconds": 0}


def test_nothing_but_the_run_is_left_in_the_folder_of_runs(chain: Chain) -> None:
    left = {path.name for path in chain.run.parent.iterdir() if (path / layout.PLAN).exists() or path.suffix == ".work"}
    assert left == {chain.run.name}
    assert not list(chain.run.rglob(".tmp-*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_that_was_asked_for_ends_in_good_order(tmp_path: Path, number: signal.Signals, code: int) -> None:
    evaluations.lever(tmp_path, **levers.equal(tmp_path))
    process = start(tmp_path, endless=Stage.BASELINE)
    wait_until(lambda: in_stage(tmp_path, Stage.BASELINE), process)
    process.send_signal(number)
    left = remains(tmp_path, process)
    [run] = (path for path in (tmp_path / ".prfpipe" / "runs").iterdir() if path.suffix != ".work")
    partial = run / (layout.SAMPLES[Stage.BASELINE] + layout.PARTIAL_SUFFIX)
    assert left.code == code, left.err
    assert f"prfpipe: interrupted by {number.name}; what was recorded is kept" in left.err
    assert f"--resume {run.name}" in left.err
    assert "Traceback" not in left.err
    assert left.orphans == []
    assert partial.read_bytes().count(b'"kind":"invocation"') >= 1
