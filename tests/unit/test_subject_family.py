"""All processes of a subject: found wherever they go, counted with their CPU time and memory, left alone by others."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prfpipe.errors import SubjectDisturbedError
from prfpipe.host import landlock_abi
from prfpipe.subject.family import settle_down
from prfpipe.subject.process import Subject
from tests.support.subjects import code, is_running, running, started, wait_until_gone

HIDE = """\
def hide(act):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            os.execve(sys.executable, [sys.executable, "-c", act], {})
        os._exit(0)
    os.wait()
    return int(os.read(read, 20))
"""
BURN = "import time\\nwhile time.process_time() < 0.05: pass\\nprint(flush=True)\\ntime.sleep(600)"
HEADLESS = (
    "import ctypes, threading, time\\nthreading.Thread(target=time.sleep, args=(600,)).start()\\n"
    "ctypes.CDLL(None).syscall(60, 0)"
)
"""exit(2) on x86-64, of the calling thread alone."""
SLEEP = "import time\\ntime.sleep(600)"
FILL = "table = bytes(60_000_000).replace(bytes(1), bytes([1]))\\nprint(flush=True)\\nimport time\\ntime.sleep(600)"


def _wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_that_left_its_session_its_environment_and_its_parent_dies_with_the_subject(tmp_path: Path) -> None:
    with running(tmp_path, code(f"return hide('{SLEEP}')", top=HIDE)) as subject:
        [pid] = subject.results_of(subject.run([0]))
        subject.close()
    assert isinstance(pid, int)
    if landlock_abi():
        wait_until_gone(pid)
    elif is_running(pid):
        os.kill(pid, signal.SIGKILL)  # only the kernel knows that it is the subject's


def test_a_process_whose_first_thread_has_ended_is_found_and_dies_with_the_subject(tmp_path: Path) -> None:
    with running(tmp_path, code(f"return hide('{HEADLESS}')", top=HIDE)) as subject:
        [pid] = subject.results_of(subject.run([0]))
        stat = Path(f"/proc/{pid}/stat")
        _wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")
        if landlock_abi():
            assert pid in subject._family.members()
        subject.close()
    if landlock_abi():
        _wait_until(lambda: len(list(Path(f"/proc/{pid}").glob("task/*"))) < 2)
    else:
        os.kill(int(str(pid)), signal.SIGKILL)


def test_a_subject_that_is_not_seen_in_its_own_family_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a subject that hides looks like, whoever runs this: root sees it all the same."""
    with running(tmp_path, code("return 0")) as subject:
        subject.run([0])
        with monkeypatch.context() as blind:
            blind.setattr("prfpipe.subject.family._may_look_into", lambda pid: False)
            blind.setattr("prfpipe.subject.family.members", lambda mark: [])
            with pytest.raises(SubjectDisturbedError, match="was hidden"):
                subject.require_left_alone()
        subject.require_left_alone()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process")
def test_a_subject_that_hides_is_refused(tmp_path: Path) -> None:
    hide = "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)"
    with running(tmp_path, code(hide, top="import ctypes")) as subject:
        subject.run([0])
        with pytest.raises(SubjectDisturbedError, match="was hidden"):
            subject.require_left_alone()


def test_the_cpu_time_of_a_child_without_the_mark_counts(tmp_path: Path) -> None:
    options = "env={}, start_new_session=True, stdout=subprocess.PIPE"
    burn = f"self.child = subprocess.Popen([sys.executable, '-c', '{BURN}'], {options})\nself.child.stdout.read(1)"
    with running(tmp_path, code(burn, top="import subprocess")) as subject:
        before = subject.family_cpu_ns()
        subject.run([0])
        assert subject.close_in_peace() - before >= 50_000_000


def test_a_process_that_has_work_but_gets_no_cpu_is_waited_for() -> None:
    pinned = f"import os, time\nos.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n"
    crowd = f"{pinned}print(flush=True)\nwhile True: pass"
    starved = f"{pinned}os.nice(10)\nprint(flush=True)\nwhile time.process_time() < 0.2: pass\ntime.sleep(600)"
    with python(crowd), python(starved) as child:
        assert settle_down([child.pid], patience_seconds=60) >= 200_000_000


def test_the_cpu_time_of_children_that_have_ended_counts(tmp_path: Path) -> None:
    burn = BURN.partition("\\nprint")[0]
    start = f"subprocess.run([sys.executable, '-c', '{burn}'])"
    with running(tmp_path, code(start, top="import subprocess")) as subject:
        before = subject.family_cpu_ns()
        subject.run([0])
        assert subject.family_cpu_ns() - before >= 40_000_000


def test_work_at_the_end_of_the_interpreter_counts(tmp_path: Path) -> None:
    late = "import atexit\ndef burn():\n    while time.process_time() < 0.3: pass\natexit.register(burn)"
    with running(tmp_path, code("return 0", top=late)) as subject:
        subject.run([0])
        assert subject.close_in_peace() >= 290_000_000


def test_peak_memory_is_that_of_all_processes(tmp_path: Path) -> None:
    start = f"self.child = subprocess.Popen([sys.executable, '-c', '{FILL}'], stdout=subprocess.PIPE)"
    fill = f"{start}\nself.child.stdout.read(1)"
    with running(tmp_path, code(fill, top="import subprocess")) as subject:
        before = subject.family_peak_rss_kib()
        subject.run([0])
        assert subject.family_peak_rss_kib() - before >= 55_000
        assert subject.peak_rss_kib() < before + 55_000


@contextmanager
def python(source: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.read(1)
        try:
            yield child
        finally:
            child.kill()


# ---- left alone -----------------------------------------------------------------------------------------


def stop(subject: Subject) -> None:
    os.kill(subject.pid, signal.SIGSTOP)
    while ") T " not in Path(f"/proc/{subject.pid}/stat").read_text():
        pass
    os.kill(subject.pid, signal.SIGCONT)


def slow(subject: Subject) -> None:
    os.setpriority(os.PRIO_PROCESS, subject.pid, 19)


def rest(subject: Subject) -> None:
    os.sched_setscheduler(subject.pid, os.SCHED_BATCH, os.sched_param(0))


@pytest.mark.parametrize(
    ("act", "said"), [(stop, "was stopped"), (slow, "another priority"), (rest, "another priority")]
)
def test_a_subject_that_somebody_disturbed_is_refused(
    tmp_path: Path, act: Callable[[Subject], None], said: str
) -> None:
    with started(tmp_path, code("return 0")) as subject:
        subject.hello({}, tmp_path / "work")
        subject.require_left_alone()
        act(subject)
        with pytest.raises(SubjectDisturbedError, match=said):
            subject.require_left_alone()
        subject.close()


def test_a_subject_that_leaves_the_cpu_that_it_was_given_is_refused(tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    elsewhere = code(f"os.sched_setaffinity(0, {{*range(os.cpu_count())}} - {{{cpu}}} or {{{cpu}}})")
    with started(tmp_path, elsewhere, cpu=cpu) as subject:
        subject.hello({}, tmp_path / "work")
        subject.require_left_alone()
        subject.run([0])
        if len(os.sched_getaffinity(0)) > 1:
            with pytest.raises(SubjectDisturbedError, match="another CPU"):
                subject.require_left_alone()
        subject.close()
