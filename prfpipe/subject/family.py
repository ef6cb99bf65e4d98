"""All processes that descend from a subject, also those that left its group, its session or its environment.

A subject in a sandbox is started by a thread that entered the sandbox before it: the kernel lets that thread look into
(ptrace(2)) what was started from inside, and into nothing else, and no process can leave. Without a sandbox each
child gets a mark in its environment, which its descendants inherit; one that drops the mark is still found while it
is the child of one that has it.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import TypeVar

from prfpipe.host import landlock_abi
from prfpipe.subject.sandbox import Sandbox

T = TypeVar("T")
FAMILY_VARIABLE = "PRFPIPE_CHILD"
_QUIET_SECONDS = 0.005
_POLL_SECONDS = 0.002
_QUIET_NS = 50_000
"""Less CPU time than a hundredth of the interval is a wake-up, not work."""
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Family:
    """The processes of one child, from the spawn on. `close` it, or the thread stays."""

    def __init__(self, mark: str, sandbox: Sandbox | None) -> None:
        self._mark = mark
        self._inside = ThreadPoolExecutor(1) if sandbox and landlock_abi() else None
        if self._inside and sandbox:
            self._inside.submit(sandbox.enter).result()

    def spawn(self, start: Callable[[], T]) -> T:
        """Call `start` so that what it starts is in the sandbox; its thread lives until `close`."""
        return self._inside.submit(start).result() if self._inside else start()

    def members(self) -> list[int]:
        """Process ids of all that live or were not waited for yet; empty where there is no /proc."""
        return _with_descendants(self._inside.submit(_visible).result() if self._inside else members(self._mark))

    def cpu_ns(self) -> int:
        """CPU time so far of all that live, with that of their own children for which they have waited."""
        return cpu_ns(self.members())

    def peak_rss_kib(self) -> int:
        """The sum of what each of those that live needed at most (VmHWM of /proc/PID/status)."""
        return sum(peak_rss_kib(pid) for pid in self.members())

    def kill(self) -> None:
        """Kill every member that is left."""
        _kill_all(self.members)

    def close(self) -> None:
        """End the thread in the sandbox; what it started is killed by the kernel at the latest now."""
        if self._inside:
            self._inside.shutdown()


def members(mark: str) -> list[int]:
    """Process ids of the living processes with this mark; empty where there is no /proc."""
    wanted = f"{FAMILY_VARIABLE}={mark}".encode()
    return [pid for pid in _processes() if wanted in _read(pid, "environ")]


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time so far of these processes, all threads, and of children that they waited for; none if it is gone."""
    return sum(_process_cpu_ns(pid) + _waited_for_ns(pid) for pid in pids)


def peak_rss_kib(pid: int) -> int:
    """High-water mark of a process's resident memory (VmHWM of /proc/PID/status); 0 if it is gone."""
    lines = _read(pid, "status").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(b"VmHWM:")), 0)


def settle_down(pids: Sequence[int], *, patience_seconds: float = 2.0) -> int:
    """Wait until none of these works any more, for `patience_seconds` at most; returns their CPU time by then.

    One that used no CPU time may only have been kept from it by neighbours: while a thread can run, it has work left.
    """
    deadline, before = time.monotonic() + patience_seconds, cpu_ns(pids)
    while time.monotonic() < deadline:
        time.sleep(_QUIET_SECONDS)
        can_run, now = any(map(_can_run, pids)), cpu_ns(pids)
        if now - before < _QUIET_NS and not can_run:
            return now
        before = now
    return before


def wait_for_end(pid: int, *, patience_seconds: float = 2.0) -> None:
    """Wait until a child of this process has ended, for `patience_seconds` at most; it is not reaped."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        time.sleep(_POLL_SECONDS)


def kill(mark: str) -> None:
    """Kill every living process with this mark, and what those have started."""
    _kill_all(lambda: _with_descendants(members(mark)))


def _kill_all(find: Callable[[], Sequence[int]]) -> None:
    """One may start another meanwhile, hence more than one round."""
    for _ in range(10):
        found = [pid for pid in find() if _stat(pid)[:1] != ["Z"] or _is_headless(pid)]
        if not found:
            return
        for pid in found:
            _kill(pid)
        time.sleep(0.002)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _visible() -> list[int]:
    """Processes into which the calling thread may look, this one left out."""
    return [pid for pid in _processes() if pid != os.getpid() and _may_look_into(pid)]


def _may_look_into(pid: int) -> bool:
    # Not `environ`: from Linux 6.15 on root may always read that.
    try:
        Path(f"/proc/{pid}/exe").readlink()
    except PermissionError:
        return False
    except OSError:
        # A process whose first thread has ended has no program any more; its other threads have.
        return any(map(_has_a_program, _threads(pid))) if _is_headless(pid) else False
    return True


def _has_a_program(thread: Path) -> bool:
    try:
        (thread / "exe").readlink()
    except OSError:
        return False
    return True


def _is_headless(pid: int) -> bool:
    """Whether its first thread has ended and others go on (proc(5): state and number of threads)."""
    fields = _stat(pid)
    return fields[:1] == ["Z"] and int(fields[17]) > 1


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _with_descendants(pids: Sequence[int]) -> list[int]:
    parents = {pid: _parent(pid) for pid in _processes()}
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def _parent(pid: int) -> int:
    return int((_stat(pid) or ["", "0"])[1])


def _processes() -> list[int]:
    try:
        with os.scandir("/proc") as entries:
            return [int(entry.name) for entry in entries if entry.name.isdecimal()]
    except OSError:
        return []


def _can_run(pid: int) -> bool:
    """Whether a thread of it runs or waits for a CPU (state R of proc(5)); not if it is gone."""
    return any(_stat(pid, f"task/{thread.name}/stat")[:1] == ["R"] for thread in _threads(pid))


def _process_cpu_ns(pid: int) -> int:
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def _waited_for_ns(pid: int) -> int:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) * _TICK_NS if fields else 0


def _stat(pid: int, name: str = "stat") -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5)): what is before it may hold anything."""
    return _read(pid, name).rpartition(b")")[2].decode("ascii", "replace").split()


def _read(pid: int, name: str) -> bytes:
    # A look at a family reads a file of each process of the machine: with pathlib and buffers it takes twice as long.
    try:
        with FileIO(f"/proc/{pid}/{name}") as file:
            return file.readall()
    except OSError:
        return b""
