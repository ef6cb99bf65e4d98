"""Subjects that work, fail, cheat or run away: what the parent sees, and that nothing of them is left."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from prfpipe.errors import PrfpipeError, SubjectCrashError, SubjectHangError, SubjectStartError
from prfpipe.subject import family
from prfpipe.subject.child import Child
from prfpipe.subject.process import Subject
from prfpipe.subject.variants import subject_launch
from tests.support.levers import spec_of, write_lever
from tests.support.subjects import TIMEOUT, answer, code, ended_by, is_running, running, started, wait_until_gone

ROOT = Path(__file__).parents[2]


# ---- subjects that work ---------------------------------------------------------------------------------


def test_operations_are_answered_in_order_a_sample_for_each_group(tmp_path: Path) -> None:
    with running(tmp_path, code("return [operation, self.params['n']]")) as subject:
        block = subject.run([1, "é\n\0", None, {"a": [2.5]}, 5], group=2)
        assert subject.results_of(block) == [[1, 3], ["é\n\0", 3], [None, 3], [{"a": [2.5]}, 3], [5, 3]]
        assert len(block.samples_ns) == 3
        assert subject.close() == ("candidate.py",)


def test_a_subject_may_import_its_neighbours_and_works_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "lever").mkdir()
    (tmp_path / "lever" / "neighbour.py").write_text("NAME = 'here'\n")
    found = answer(tmp_path, code("return [neighbour.NAME, os.getcwd(), str(self.workdir)]", top="import neighbour"))
    assert found == ["here", str(tmp_path / "work"), str(tmp_path / "work")]


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
def test_what_a_subject_prints_does_not_matter(tmp_path: Path, stream: str) -> None:
    flood = f"print('x' * 3_000_000, file={stream}, flush=True)\nreturn 'fine'"
    assert answer(tmp_path, code(flood, top=f"print('{{}}', file={stream})")) == "fine"


def test_only_an_allow_list_of_the_environment_reaches_a_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "PRFPIPE_STORE", "GITHUB_TOKEN", "PYTHONPATH", "LD_PRELOAD", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "secret")
    found = answer(tmp_path, code("return dict(os.environ)"))
    assert isinstance(found, dict)
    allowed = {"PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "VIRTUAL_ENV", "HOME", "LANG", "LC_CTYPE", "PYTHONHASHSEED"}
    assert set(found) <= allowed | {"PRFPIPE_READ_FD", "PRFPIPE_WRITE_FD", "PRFPIPE_CHILD"}
    assert "secret" not in found.values()
    assert (found["HOME"], found["PYTHONHASHSEED"]) == (str(tmp_path / "work"), "0")


def test_the_hash_seed_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", candidate=code("return hash('abc')"))
    found = []
    for seed in ("1", "1", "2"):
        launch = subject_launch(
            spec_of(folder), "candidate", folder, tmp_path, timeout=TIMEOUT, extra_environment={"PYTHONHASHSEED": seed}
        )
        with Subject(launch) as subject:
            subject.hello({}, tmp_path)
            found += subject.results_of(subject.run([0]))
            subject.close()
    assert found[0] == found[1] != found[2]


def test_a_pinned_subject_is_on_its_cpu_and_the_parent_stays_where_it_was(tmp_path: Path) -> None:
    before, cpu = os.sched_getaffinity(0), min(os.sched_getaffinity(0))
    with started(tmp_path, code("return sorted(os.sched_getaffinity(0))"), cpu=cpu) as subject:
        assert os.sched_getaffinity(0) == before
        subject.hello({}, tmp_path / "work")
        assert subject.results_of(subject.run([0])) == [[cpu]]


# ---- what is seen from outside --------------------------------------------------------------------------

BURN = "start = time.thread_time_ns()\n    while time.thread_time_ns() - start < 30_000_000: pass"


def test_cold_start_goes_from_the_spawn_to_the_first_answer(tmp_path: Path) -> None:
    with running(tmp_path, code("return 0")) as subject:
        assert subject.cold_start_ns == 0
        first = subject.run([0])
        cold = subject.cold_start_ns
        subject.run([0])
        assert cold == subject.cold_start_ns > first.wall_ns > 0


def test_peak_memory_grows_with_what_was_allocated_and_does_not_shrink(tmp_path: Path) -> None:
    with running(tmp_path, code("return len(bytearray(operation << 20))")) as subject:
        subject.run([0])
        before = subject.peak_rss_kib()
        subject.run([64])
        during = subject.peak_rss_kib()
        assert during - before >= 60 * 1024
        subject.run([0])
        assert subject.peak_rss_kib() >= during


def test_the_cpu_clock_sees_a_busy_thread(tmp_path: Path) -> None:
    source = code(
        "thread = threading.Thread(target=burn)\nthread.start()\nthread.join()", top=f"def burn():\n    {BURN}"
    )
    with running(tmp_path, source) as subject:
        assert subject.run([0]).cpu_ns >= 30_000_000


def test_work_after_the_answer_shows_on_the_cpu_clock_of_the_session(tmp_path: Path) -> None:
    top = f"def burn():\n    {BURN}\n    done.set()\ndone = threading.Event()"
    source = code("threading.Thread(target=burn).start() if operation else done.wait()", top=top)
    with running(tmp_path, source) as subject:
        before = subject.cpu_ns()
        subject.run([1])
        subject.run([0])
        assert subject.cpu_ns() - before >= 30_000_000


PATCHED = {
    "the module's clock": "time.perf_counter_ns = lambda: 0",
    "the runner's own name": "sys.modules['__main__'].now = lambda: 0",
}


@pytest.mark.parametrize("how", PATCHED)
def test_a_patched_clock_does_not_deceive_the_parents(tmp_path: Path, how: str) -> None:
    with running(tmp_path, code("burn()", top=f"def burn():\n    {BURN}\n{PATCHED[how]}")) as subject:
        block = subject.run([0])
    assert block.wall_ns >= 30_000_000
    assert block.cpu_ns >= 30_000_000
    assert (sum(block.samples_ns) == 0) == ("runner" in how)


# ---- subjects that fail ---------------------------------------------------------------------------------

FAILING = {
    "import": (code("return 0", top="raise RuntimeError('no')"), "failed in import: RuntimeError: no"),
    "exit on import": (code("return 0", top="sys.exit(0)"), "failed in import: SystemExit: 0"),
    "syntax": ("def f(:\n", "failed in import: SyntaxError"),
    "no Subject": ("x = 1\n", "failed in init: AttributeError"),
    "init": (code("return 0", init="1 / 0"), "failed in init: ZeroDivisionError"),
    "operate": (code("return {}['key']"), "failed in operate: KeyError: 'key'"),
    "sys.exit": (code("sys.exit(0)"), "failed in operate: SystemExit: 0"),
    "recursion": (code("return self.operate(operation)"), "failed in operate: RecursionError"),
    "os._exit": (code("os._exit(3)"), "went away without an answer"),
    "a signal": (code("os.kill(os.getpid(), signal.SIGKILL)"), "went away without an answer"),
    "closed pipes": (code("os.closerange(3, 100)"), "went away without an answer"),
    "NaN": (code("return [float('nan')]"), "failed in result: ValueError"),
    "infinity": (code("return float('inf')"), "failed in result: ValueError"),
    "a set": (code("return {1}"), "failed in result: TypeError"),
    "bytes": (code("return b'x'"), "failed in result: TypeError"),
    "a loop in the result": (code("found = []\nfound.append(found)\nreturn found"), "failed in result: ValueError"),
}


@pytest.mark.parametrize("how", FAILING)
def test_a_failure_names_the_variant_and_where_it_failed(tmp_path: Path, how: str) -> None:
    source, message = FAILING[how]
    with pytest.raises(SubjectCrashError) as caught:
        answer(tmp_path, source)
    assert caught.value.message.startswith(f"LEV-TEST candidate {message}")
    assert caught.value.hint


def test_a_missing_module_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SubjectCrashError, match="No module named 'not_there'") as caught:
        answer(tmp_path, code("return 0", top="import not_there"))
    assert caught.value.hint.startswith("Install what is missing and list it under `requires`")


def test_the_last_words_of_a_subject_are_kept(tmp_path: Path) -> None:
    last = "print('x' * 9000 + 'the reason', file=sys.stderr, flush=True)\nos._exit(7)"
    with pytest.raises(SubjectCrashError) as caught:
        answer(tmp_path, code(last))
    [note] = caught.value.__notes__
    assert "ended with 7" in note
    assert note.endswith("the reason")
    assert len(note) < 3000


def test_a_subject_that_hangs_is_killed_after_the_time_limit(tmp_path: Path) -> None:
    pid, error = ended_by(SubjectHangError, tmp_path, code("time.sleep(600)"), lambda it: it.run([0]), timeout=3.0)
    assert "did not answer within 3 s" in str(error)
    assert "PRFPIPE_SUBJECT_TIMEOUT_SECONDS" in error.hint
    wait_until_gone(pid)


def test_a_program_that_is_not_there_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prfpipe.host.die_with_parent", tuple)
    variants = {"baseline": {"python": "baseline.py"}, "candidate": {"command": ["./no-such-program", "--x"]}}
    folder = write_lever(tmp_path / "lever", variants=variants)
    launch = subject_launch(spec_of(folder), "candidate", folder, tmp_path, timeout=TIMEOUT)
    with pytest.raises(SubjectStartError, match="cannot be started") as caught, Subject(launch):
        pass
    assert "./no-such-program" in caught.value.hint


# ---- nothing is left behind -----------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["pass", "os.setsid()"], ids=["same session", "daemon"])
def test_a_child_of_the_subject_dies_with_it(tmp_path: Path, leave: str) -> None:
    fork = f"pid = os.fork()\nif pid == 0:\n    {leave}\n    time.sleep(600)\nreturn pid"
    with running(tmp_path, code(fork)) as subject:
        pid = subject.results_of(subject.run([0]))[0]
        subject.close()
    assert isinstance(pid, int)
    wait_until_gone(pid)


def test_a_process_that_ends_while_all_are_looked_at_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise ProcessLookupError(3, "No such process")

    for look in ("exists", "read_bytes"):
        monkeypatch.setattr(Path, look, gone)
    assert family.members("0" * 32) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_leaving_early_for_any_reason_ends_the_subject(tmp_path: Path, error: type[BaseException]) -> None:
    def leave(_: Subject) -> None:
        raise error

    wait_until_gone(ended_by(error, tmp_path, code("return 0"), leave)[0])


def test_a_subject_that_ignores_sigterm_and_end_of_file_is_killed(tmp_path: Path) -> None:
    def leave(subject: Subject) -> None:
        subject.run([0])
        raise RuntimeError

    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nthreading.Thread(target=time.sleep, args=(600,)).start()"
    wait_until_gone(ended_by(RuntimeError, tmp_path, code(stubborn), leave)[0])


@pytest.mark.parametrize("source", ["return 0", "os._exit(1)", "1 / 0"])
def test_no_file_descriptor_is_left_open(tmp_path: Path, source: str) -> None:
    before = open_descriptors()
    with suppress(PrfpipeError):
        answer(tmp_path, code(source))
    assert open_descriptors() == before


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


PARENT = """\
import sys, time
from pathlib import Path
from prfpipe.subject.process import Subject
from prfpipe.subject.variants import subject_launch
from tests.support.levers import spec_of

folder, workdir = Path(sys.argv[1]), Path(sys.argv[2])
with Subject(subject_launch(spec_of(folder), "candidate", folder, workdir, timeout=600)) as subject:
    subject.hello({}, workdir)
    print(subject.pid, flush=True)
    subject.run([0])
"""


def test_a_subject_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", candidate=code("time.sleep(600)"))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder), str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.send_signal(signal.SIGKILL)
    wait_until_gone(pid)


def test_every_child_is_a_context_manager_that_starts_once(tmp_path: Path) -> None:
    with started(tmp_path, code("return 0")) as subject:
        assert isinstance(subject, Child)
        assert subject.returncode is None
    assert subject.returncode is not None
