"""All processes that descend from a subject, also those that left its group and its session.

Each child gets a mark in its environment, which its descendants inherit and only a new `exec` with another
environment loses.
"""

import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

FAMILY_VARIABLE = "PRFPIPE_CHILD"
_QUIET_SECONDS = 0.005
_QUIET_NS = 50_000
"""Less CPU time than a hundredth of the interval is a wake-up, not work."""


def members(mark: str) -> list[int]:
    """Process ids of the living processes with this mark; empty where there is no /proc."""
    wanted = f"{FAMILY_VARIABLE}={mark}".encode()
    # Only names are matched: a longer pattern has glob look at each file, which raises for a process that just ends.
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if wanted in _read(path / "environ")]


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time so far of these processes, all threads (clock_getcpuclockid(3)); one that is gone counts nothing."""
    return sum(_process_cpu_ns(pid) for pid in pids)


def settle_down(pids: Sequence[int], *, patience_seconds: float = 0.5) -> int:
    """Wait until none of these works any more, for `patience_seconds` at most; returns their CPU time by then."""
    deadline, before = time.monotonic() + patience_seconds, cpu_ns(pids)
    while time.monotonic() < deadline:
        time.sleep(_QUIET_SECONDS)
        now = cpu_ns(pids)
        if now - before < _QUIET_NS:
            return now
        before = now
    return before


def kill(mark: str) -> None:
    """Kill every member that is left; one may start another meanwhile, hence more than one round."""
    for _ in range(10):
        found = members(mark)
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


def _process_cpu_ns(pid: int) -> int:
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
