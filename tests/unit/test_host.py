"""The machine that measures: one holder at a time, noise that refuses, nothing secret in its name."""

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from prfpipe import host
from prfpipe.errors import HostBusyError, HostError
from prfpipe.models import HostFingerprint

ROOT = Path(__file__).parents[2]
HOLDER = """\
import sys, time
from pathlib import Path
from prfpipe import host

with host.exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(lock: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


# ---- the lock -------------------------------------------------------------------------------------------


def test_a_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock) as first:
        with pytest.raises(HostBusyError) as caught, host.exclusive(lock):
            pass
        first.kill()
    assert f"process {first.pid} is measuring on this host" in caught.value.message
    assert str(lock) in caught.value.hint


def test_a_holder_that_is_killed_lets_go(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as first:
        first.kill()
    with host.exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == f"process {os.getpid()}\n"


@pytest.mark.parametrize("fails", [False, True])
def test_the_lock_is_free_after_use_however_it_ended(tmp_path: Path, fails: bool) -> None:
    try:
        with host.exclusive(tmp_path / "lock"):
            assert not fails
    except AssertionError:
        pass
    with host.exclusive(tmp_path / "lock"):
        pass


def test_a_process_that_holds_the_host_refuses_itself_too(tmp_path: Path) -> None:
    with host.exclusive(tmp_path / "lock"), pytest.raises(HostBusyError), host.exclusive(tmp_path / "lock"):
        pass


def test_two_locks_are_two_hosts(tmp_path: Path) -> None:
    with host.exclusive(tmp_path / "one"), host.exclusive(tmp_path / "two"):
        pass


def test_every_user_can_take_the_lock_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with host.exclusive(tmp_path / "lock"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o666


def test_a_link_in_place_of_the_lock_is_refused_and_what_it_points_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(HostError, match="cannot be opened"), host.exclusive(tmp_path / "lock"):
        pass
    assert (tmp_path / "precious").read_text() == "data"


def test_what_another_user_wrote_into_the_lock_does_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with host.exclusive(path):
        path.write_text("\x1b[2Jnobody\n\x07 \u202egnp\n")
        with pytest.raises(HostBusyError) as caught, host.exclusive(path):
            pass
    assert caught.value.message == "[2Jnobody gnp is measuring on this host"


@pytest.mark.parametrize("name", ["folder", "missing/lock"])
def test_a_lock_that_cannot_be_a_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(HostError, match="cannot be opened") as caught, host.exclusive(tmp_path / name):
        pass
    assert "Remove what is in its place" in caught.value.hint


# ---- noise ----------------------------------------------------------------------------------------------


def test_a_host_over_the_limit_is_refused_with_what_to_do() -> None:
    with pytest.raises(HostError, match="too noisy to measure on") as caught:
        host.probe_noise(limit_percent=-1)
    assert "--accept-noise" in caught.value.hint


def test_noise_that_was_accepted_is_recorded() -> None:
    found = host.probe_noise(limit_percent=-1, accept=True)
    assert found.accepted
    assert found.limit_percent == -1


@pytest.mark.parametrize("accept", [False, True])
def test_a_host_under_the_limit_needs_no_accepting(accept: bool) -> None:
    found = host.probe_noise(limit_percent=1e9, accept=accept)
    assert not found.accepted
    assert found.spread_percent >= 0
    assert 0 <= found.stolen_percent <= 100
    assert found.samples > 0


def test_the_probe_leaves_the_process_where_it_was() -> None:
    before = os.sched_getaffinity(0)
    host.probe_noise(limit_percent=1e9)
    with pytest.raises(HostError):
        host.probe_noise(limit_percent=-1)
    assert os.sched_getaffinity(0) == before


def test_uneven_work_is_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1000] * 100 + [2000] * 100)
    monkeypatch.setattr(host, "_spin", lambda: next(times))
    assert host.probe_noise(limit_percent=1e9).spread_percent == 50.0


# ---- CPUs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_the_measuring_cpu_is_left_free_and_given_back(fails: bool) -> None:
    before, cpu = os.sched_getaffinity(0), host.measuring_cpu()
    inside = set()
    try:
        with host.leave_cpu_free(cpu):
            inside = os.sched_getaffinity(0)
            assert not fails
    except AssertionError:
        pass
    assert os.sched_getaffinity(0) == before
    assert inside == (before - {cpu} or before)


def test_threads_that_ran_before_leave_the_measuring_cpu_free_too() -> None:
    before, cpu, end = os.sched_getaffinity(0), host.measuring_cpu(), threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        with host.leave_cpu_free(cpu):
            assert os.sched_getaffinity(thread.native_id or 0) == (before - {cpu} or before)
        assert os.sched_getaffinity(thread.native_id or 0) == before
    finally:
        end.set()
        thread.join()


def test_the_only_cpu_there_is_is_shared() -> None:
    before = os.sched_getaffinity(0)
    one = {min(before)}
    os.sched_setaffinity(0, one)
    try:
        with host.leave_cpu_free(min(before)):
            assert os.sched_getaffinity(0) == one
        assert host.measuring_cpu() == min(before)
        assert host.available_cpus() == [min(before)]
    finally:
        os.sched_setaffinity(0, before)


def interrupts(*rows: str) -> str:
    return "\n".join(["           CPU0       CPU1       CPU2       ", *rows, ""])


DISK_ON_THE_LAST = interrupts(
    " 24:          1          0          0  IO-APIC   5-edge      ACPI:Ged",
    " 36:         12      40000     900000  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0",
    "LOC:    4539861    5045194          3   Local timer interrupts",
    "ERR:          0",
)


@pytest.mark.parametrize(
    ("cpus", "text", "measures"),
    [
        ([0, 1, 2], DISK_ON_THE_LAST, 0),
        ([1, 2], DISK_ON_THE_LAST, 1),
        ([2], DISK_ON_THE_LAST, 2),
        ([0, 1, 2], interrupts(" 36: 100000 90000 300000 disk"), 2),
        ([0, 1, 2], interrupts(" 36: 0 0 9000 disk"), 2),
        ([0, 1, 2], interrupts("LOC: 0 0 900000 Local timer interrupts"), 2),
        ([0, 3], interrupts(" 36: 900000 0 0 disk"), 3),
        ([0, 1], "", 1),
        ([0, 1], "no table\n 36: 0 900000 disk\n", 1),
        ([0, 1], interrupts(" 36: 0 900000", " 37: what is this?"), 1),
    ],
)
def test_subjects_are_measured_on_the_last_cpu_that_devices_leave_alone(
    cpus: list[int], text: str, measures: int
) -> None:
    assert host.last_quiet_cpu(cpus, text) == measures


# ---- the fingerprint ------------------------------------------------------------------------------------


def test_what_lies_in_memory_is_known(tmp_path: Path) -> None:
    assert host.is_in_memory(Path("/proc/self/fd")) is False
    shm = Path("/dev/shm")
    if not os.path.ismount(shm):
        pytest.skip("there is no /dev/shm")
    assert host.is_in_memory(shm / "not-there-yet")


def test_the_lock_is_the_same_whatever_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []

    def note(path: Path) -> int:
        taken.append(path)
        raise HostError("noted", hint="")

    monkeypatch.setattr(host, "_open_for_all", note)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(HostError), host.exclusive():
        pass
    assert taken == [Path("/tmp/prfpipe-host.lock")]


def test_the_fingerprint_says_what_the_machine_is() -> None:
    found = host.fingerprint()
    assert found == HostFingerprint.model_validate_json(found.model_dump_json())
    assert found.cpus == len(os.sched_getaffinity(0))
    assert found.memory_kib > 0
    assert found.measuring_cpu in os.sched_getaffinity(0)
    assert all(str(value).strip() for value in found.model_dump().values())


def test_the_fingerprint_holds_nothing_of_the_environment_or_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "HOME": "/home/somebody", "USER": "somebody"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    text = host.fingerprint().model_dump_json()
    assert not any(value in text for value in secrets.values())


def test_the_fingerprint_is_the_same_each_time() -> None:
    first = host.fingerprint()
    time.sleep(0.01)
    assert host.fingerprint() == first


def test_a_host_is_called_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRFPIPE_HOST", "bench-a.example")
    assert host.name() == host.fingerprint().name == "bench-a.example"
    monkeypatch.delenv("PRFPIPE_HOST")
    assert host.name() == os.uname().nodename[:80]


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "a" * 81, "a\n"])
def test_a_host_is_not_called_what_is_no_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PRFPIPE_HOST", name)
    with pytest.raises(HostError, match="no host's name"):
        host.name()
