"""The machine that measures: fingerprint, noise probe, exclusive lock, CPU placement."""

import ctypes
import fcntl
import os
import platform
import re
import shutil
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from prfpipe.errors import HostBusyError, HostError
from prfpipe.models import HostFingerprint, NoiseProbe, Work

NOISE_LIMIT_PERCENT = 30.0
NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,78}[A-Za-z0-9])?$"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, folders in it are made for one user only
_LOCK = Path("/tmp/prfpipe-host.lock")  # noqa: S108 - one for all users: what TMPDIR names may be each one's own
_MEMORY_ROOM = 2 * 1024**3
_LEFTOVER_S = 86_400
_LANDLOCK_CREATE_RULESET = 444
_FEW_INTERRUPTS = 1_000
_FAR_MORE = 10
_SPINS = 200
_SPIN_SIZE = 20_000


def name() -> str:
    """What this machine is called: PRFPIPE_HOST, or its own name, which in a container is another each time.

    Raises:
        HostError: PRFPIPE_HOST is no name.
    """
    given = os.environ.get("PRFPIPE_HOST")
    if given is not None and not re.fullmatch(NAME_PATTERN, given):
        raise HostError(f"PRFPIPE_HOST {given[:80]!a} is no host's name", hint="Use letters, digits, '-' and '.'.")
    return given or socket.gethostname()[:80]


def fingerprint(work: Work = "disk") -> HostFingerprint:
    """What this machine is; allow-listed facts only, none of them secret. `work`: where working folders lie."""
    return HostFingerprint(
        name=name(),
        cpu_model=_first_value("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        cpus=len(available_cpus()),
        memory_kib=int((_first_value("/proc/meminfo", "MemTotal") or "0 kB").split()[0]),
        kernel=platform.release(),
        os=_os_name(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        measuring_cpu=measuring_cpu(),
        work=work,
        landlock=landlock_abi(),
        virtualized="yes" if " hypervisor " in _first_value("/proc/cpuinfo", "flags") + " " else "no",
    )


def die_with_parent() -> tuple[str, ...]:
    """A prefix that has the kernel kill a child when its parent dies, even by SIGKILL (PR_SET_PDEATHSIG)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def landlock_abi() -> int:
    """What this kernel can do to confine subjects (landlock(7)), as its version; 0: nothing, or it is not wanted."""
    return 0 if os.environ.get("PRFPIPE_SANDBOX") == "off" else _landlock_abi()


@cache
def _landlock_abi() -> int:
    if sys.platform != "linux":
        return 0
    asked = (ctypes.c_long(_LANDLOCK_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(int(ctypes.CDLL(None).syscall(*asked)), 0)


def has_memory_folder() -> bool:
    """Whether working folders have room in memory."""
    return os.path.ismount(_MEMORY) and shutil.disk_usage(_MEMORY).free >= _MEMORY_ROOM


def is_in_memory(path: Path) -> bool:
    """Whether a folder lies on a file system without a disk (mountinfo in proc(5)); False where nobody can say."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    kinds: dict[Path, str] = {}
    for line in mounts:
        fields, _, behind = line.partition(" - ")
        place = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), fields.split()[4])
        kinds[Path(place)] = behind.split()[0]
    path = path.resolve()
    kind = next((kinds[folder] for folder in (path, *path.parents) if folder in kinds), "")
    return kind in {"tmpfs", "ramfs"}


def memory_folder() -> Path:
    """This user's own folder in memory, without what runs that were killed left there more than a day ago.

    Raises:
        HostError: something else stands in its place, or it cannot be made.
    """
    folder = _MEMORY / f"prfpipe-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise HostError(f"{folder}: {error.strerror}", hint="Set `work: disk` in lever.yaml.") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise HostError(f"{folder} is not this user's own folder", hint="Look who made it, and remove it.")
    for left in folder.iterdir():
        if time.time() - left.lstat().st_mtime > _LEFTOVER_S:
            shutil.rmtree(left, ignore_errors=True)
    return folder


def available_cpus() -> list[int]:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def measuring_cpu() -> int:
    """The CPU that subjects are pinned to: the last one that devices leave alone.

    What a disk has done is worked off where it interrupts; on the measuring CPU that would be in some operation's time.
    """
    return last_quiet_cpu(available_cpus(), _read("/proc/interrupts"))


def last_quiet_cpu(cpus: Sequence[int], interrupts: str) -> int:
    """Of these CPUs, the last that devices have not interrupted far more often than another.

    `interrupts`: the text of /proc/interrupts (proc(5)), or nothing. Its counts are of all the time that the machine is
    up: only an order of magnitude matters, so that processes that look at different times find the same CPU.
    """
    counts = dict.fromkeys(cpus, 0) | _device_interrupts(interrupts)
    many = _FAR_MORE * max(_FEW_INTERRUPTS, min(counts[cpu] for cpu in cpus))
    return [cpu for cpu in cpus if counts[cpu] <= many][-1]


def _device_interrupts(interrupts: str) -> dict[int, int]:
    """By CPU; rows of devices begin with a number, those of the CPUs themselves (timers, calls) with a name."""
    heading, *rows = interrupts.splitlines() or [""]
    cpus = [int(number) for number in re.findall(r"CPU(\d+)", heading)]
    row_of_a_device = re.compile(rf"\s*\d+:((?:\s+\d+){{{len(cpus)}}})\s")
    devices = [map(int, found[1].split()) for found in map(row_of_a_device.match, rows) if found]
    return {cpu: sum(column) for cpu, *column in zip(cpus, *devices, strict=True)}


@contextmanager
def leave_cpu_free(cpu: int) -> Iterator[None]:
    """Keep this process, all its threads and what it starts without a pin of its own off the measuring CPU."""
    cpus = set(available_cpus())
    elsewhere = cpus - {cpu} or cpus
    others = _other_threads() if hasattr(os, "sched_setaffinity") else []
    with on_cpus(elsewhere):
        _move(others, elsewhere)
        try:
            yield
        finally:
            _move(others, cpus)


def _other_threads() -> list[int]:
    """The threads of this process but the calling one, such as those that tell a server what goes on."""
    threads = (int(path.name) for path in Path("/proc/self/task").iterdir())
    return [thread for thread in threads if thread != threading.get_native_id()]


def _move(threads: Iterable[int], cpus: set[int]) -> None:
    for thread in threads:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(thread, cpus)


@contextmanager
def on_cpus(cpus: set[int]) -> Iterator[None]:
    """Keep the calling thread, and what it starts, on these CPUs; nothing on a system that cannot do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def probe_noise(*, limit_percent: float = NOISE_LIMIT_PERCENT, accept: bool = False) -> NoiseProbe:
    """Spin equal pieces of work on the measuring CPU and see how much their times differ.

    Raises:
        HostError: the spread is over the limit and `accept` is false.
    """
    stolen = _stolen_ticks()
    with on_cpus({measuring_cpu()}):
        times = sorted(_spin() for _ in range(_SPINS))
    stolen_share, total = (after - before for before, after in zip(stolen, _stolen_ticks(), strict=True))
    spread = 100 * (times[int(_SPINS * 0.9)] - times[int(_SPINS * 0.1)]) / times[_SPINS // 2]
    probe = NoiseProbe(
        samples=_SPINS,
        spread_percent=round(spread, 2),
        stolen_percent=round(100 * stolen_share / max(total, 1), 2),
        load_1min=round(os.getloadavg()[0], 2),
        limit_percent=limit_percent,
        accepted=spread > limit_percent and accept,
    )
    if spread > limit_percent and not accept:
        raise HostError(
            f"this host is too noisy to measure on: equal work differs by {spread:.0f} % (limit {limit_percent:g} %)",
            hint="Stop other work and try again, or pass --accept-noise (the plan records it).",
        )
    return probe


@contextmanager
def exclusive(path: Path | None = None) -> Iterator[None]:
    """Hold this host for one measurement; another process of any user that asks meanwhile is refused.

    Raises:
        HostBusyError: somebody else measures here; the message says who.
        HostError: the lock's file cannot be used.
    """
    path = path or _LOCK
    descriptor = _open_for_all(path)
    try:
        _lock(descriptor, path)
        _sign(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _open_for_all(path: Path) -> int:
    """Open the lock's file, made writable by every user, whatever the umask."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            # O_CREAT would be refused for another user's file in a sticky folder (protected_regular, proc(5)).
            return os.open(path, flags)
        except FileNotFoundError:
            descriptor = os.open(path, flags | os.O_CREAT, 0o666)
    except OSError as error:
        raise HostError(
            f"the lock of this host cannot be opened: {path}: {error.strerror}",
            hint="Remove what is in its place, or let every user read and write it.",
        ) from error
    with suppress(PermissionError):
        os.fchmod(descriptor, 0o666)
    return descriptor


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        # Every user may write this file: what it says is shown without anything that acts on a terminal.
        written = os.pread(descriptor, 100, 0).decode("utf-8", "replace").strip()
        holder = "".join(char for char in written if char.isprintable()) or "another process"
        raise HostBusyError(
            f"{holder} is measuring on this host", hint=f"Wait until it has finished (the lock is {path})."
        ) from error


def _sign(descriptor: int, path: Path) -> None:
    """Say in the lock's file who holds it."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise HostError(
            f"the lock of this host cannot be written: {path}: {error.strerror}",
            hint="Free some space there, or set PRFPIPE_LOCK to a file elsewhere.",
        ) from error


def _spin() -> int:
    start = time.perf_counter_ns()
    for _ in range(_SPIN_SIZE):
        pass
    return time.perf_counter_ns() - start


def _stolen_ticks() -> tuple[int, int]:
    """Steal time and all time of this machine so far, in clock ticks (proc(5), /proc/stat)."""
    try:
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0, 0
    return ticks[7], sum(ticks)


def _first_value(path: str, key: str) -> str:
    lines = _read(path).splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == key), "")


def _read(path: str) -> str:
    """The text of a file of the kernel's; nothing where there is none."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", sys.platform)
    except OSError:
        return platform.platform(terse=True)
