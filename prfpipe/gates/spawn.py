"""One start of a program: from its spawn until it is ready, by this process's clock; then it is ended.

Ready is a line on stdout, or an end with exit code 0. The program runs in a session and a process group of its own,
which is killed at the end whatever happened; so is what left that group and still carries its mark.
"""

import os
import secrets
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from prfpipe import host
from prfpipe.errors import (
    HostError,
    PrfpipeError,
    SubjectCrashError,
    SubjectHangError,
    SubjectProtocolError,
    SubjectStartError,
)
from prfpipe.subject import family
from prfpipe.subject.family import FAMILY_VARIABLE

_CHUNK = 65_536
_MAX_LINE = 1024 * 1024
_STDERR_TAIL = 2000


@dataclass(frozen=True)
class Program:
    """What is started. `name` is what messages to people call it; `cpu` is where it is pinned to.

    `request` waits on its stdin from the beginning (at most what a pipe holds); without one, stdin is empty.
    `is_ready` says of a line of stdout, without its line feed, whether the program is ready. `may_end`: whether an end
    with exit code 0 is readiness too. `mark` is what the program and its descendants are known by, and killed by.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    timeout: float
    is_ready: Callable[[bytes], bool]
    cpu: int | None = None
    request: bytes = b""
    may_end: bool = False
    mark: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True)
class Start:
    """What one start gave, in ns. `line` is the one that said ready; None: the program ended.

    `spawned_ns` and `ready_ns`: CLOCK_MONOTONIC, which all processes share. `cpu_ns`: user and system time of the
    program and of the children that it waited for, until it was ended (wait4(2)).
    """

    spawned_ns: int
    ready_ns: int
    cpu_ns: int
    line: bytes | None

    @property
    def wall_ns(self) -> int:
        """From the spawn until the program was ready."""
        return self.ready_ns - self.spawned_ns


def start(program: Program, *, linger: float = 0.0, in_peace: bool = False) -> Start:
    """Start a program, wait until it is ready, end it.

    Args:
        program: what to start.
        linger: look on for so many seconds whether a program that said ready fails after all; its CPU time counts.
        in_peace: let the program end by itself after its stdin was closed.

    Raises:
        SubjectStartError: it cannot be started.
        SubjectCrashError: it ended before it was ready, or failed while it was looked on; a note has its stderr.
        SubjectHangError: it was not ready in time.
    """
    with tempfile.TemporaryFile() as stderr, _running(program, stderr) as running:
        try:
            ready_ns, line = running.until_ready()
            if in_peace or linger:
                running.look_on(linger or program.timeout, close=in_peace)
            cpu_ns = running.end()
        except PrfpipeError as error:
            running.end()
            _add_stderr(error, program, running.process.returncode, stderr)
            raise
        return Start(running.spawned_ns, ready_ns, max(cpu_ns, 1), line)


@contextmanager
def _running(program: Program, stderr: IO[bytes]) -> Iterator["_Running"]:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stdin, os.fdopen(write_end, "wb", buffering=0) as requests:
        os.set_blocking(write_end, False)
        if requests.write(program.request) != len(program.request):
            raise SubjectProtocolError(f"{program.name}: its request is larger than a pipe", hint="Ask for less.")
        with _Running(program, requests, *_spawn(program, stdin, stderr)) as running:
            yield running


def _spawn(program: Program, stdin: IO[bytes], stderr: IO[bytes]) -> tuple[int, "subprocess.Popen[bytes]"]:
    environment = {**program.environment, FAMILY_VARIABLE: program.mark}
    cpus = host.available_cpus() if program.cpu is None else [program.cpu]
    try:
        with host.on_cpus(set(cpus)):
            spawned_ns = time.perf_counter_ns()
            return spawned_ns, subprocess.Popen(
                program.argv,
                cwd=program.cwd,
                env=environment,
                stdin=stdin if program.request else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                bufsize=0,
            )
    except OSError as error:
        raise _cannot_start(program, error) from error


def _cannot_start(program: Program, error: OSError) -> SubjectStartError:
    word = program.argv[0]
    if isinstance(error, FileNotFoundError) and not program.cwd.is_dir():
        return SubjectStartError(f"{program.name}: there is no folder {program.cwd}", hint="Start it from a folder.")
    if isinstance(error, FileNotFoundError):
        return SubjectStartError(
            f"{program.name} was not found: there is no program {word!r}",
            hint="Give its path, or a name that is on PATH; a script's first line may name an interpreter that is not.",
        )
    if isinstance(error, PermissionError):
        return SubjectStartError(f"{program.name} is not executable: {word!r}", hint=f"Try `chmod +x {word}`.")
    return SubjectStartError(f"{program.name} cannot be started: {error}", hint=f"Try it by hand: {word}")


@dataclass
class _Running:
    program: Program
    requests: IO[bytes]
    spawned_ns: int
    process: "subprocess.Popen[bytes]"
    _pidfd: int = -1
    _cpu_ns: int | None = None

    def __enter__(self) -> "_Running":
        try:
            self._pidfd = os.pidfd_open(self.process.pid)
        except (AttributeError, OSError) as error:
            self.end()
            raise HostError(f"this system has no pidfd_open: {error}", hint="Cold starts need Linux 5.3.") from error
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()
        os.close(self._pidfd)
        if self.process.stdout:
            self.process.stdout.close()
        family.kill(self.program.mark)

    def until_ready(self) -> tuple[int, bytes | None]:
        """When it was ready, and the line that said so."""
        assert self.process.stdout  # noqa: S101 - for mypy: it was asked for
        output = self.process.stdout.fileno()
        os.set_blocking(output, False)
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.register(output, select.POLLIN)
        deadline, rest = time.monotonic() + self.program.timeout, b""
        while events := poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            now = time.perf_counter_ns()
            data = _read(output)
            *lines, rest = (rest + (data or b"")).split(b"\n")
            found = next((line for line in lines if self.program.is_ready(line)), None)
            if found is not None:  # an empty line is one too
                return now, found
            if not data and any(descriptor == self._pidfd for descriptor, _ in events):
                self._refuse_bad_end()
                return now, None
            if data == b"":
                poll.unregister(output)
            self._refuse_endless(rest)
        raise SubjectHangError(
            f"{self.program.name} was not ready within {self.program.timeout:g} s",
            hint="Does it say that it is ready? If it needs that long, set PRFPIPE_SUBJECT_TIMEOUT_SECONDS higher.",
        )

    def _refuse_bad_end(self) -> None:
        self.end()
        code = self.process.returncode
        if code != 0:
            raise SubjectCrashError(
                f"{self.program.name} ended with {code} before it was ready", hint="Run it by hand and read its stderr."
            )
        if not self.program.may_end:
            raise SubjectCrashError(
                f"{self.program.name} ended without saying that it is ready",
                hint="It has to print its readiness line, and a line feed after it, on stdout.",
            )

    def _refuse_endless(self, rest: bytes) -> None:
        if len(rest) > _MAX_LINE:
            raise SubjectProtocolError(
                f"{self.program.name} printed a line of more than {_MAX_LINE} bytes",
                hint="The readiness line has to be one line of text.",
            )

    def look_on(self, seconds: float, *, close: bool) -> None:
        """Wait for its end, which must be a good one; that it goes on running is good where stdin stays open."""
        if close:
            self.requests.close()
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return
        self.end()
        if code := self.process.returncode:
            raise SubjectCrashError(
                f"{self.program.name} said that it is ready and ended with {code}",
                hint="Run it by hand and read its stderr; --ready TEXT names the line that says ready.",
            )

    def end(self) -> int:
        """Kill the whole group; the CPU time that the program took. Calling it again only says that."""
        if self._cpu_ns is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self._cpu_ns = round((usage.ru_utime + usage.ru_stime) * 1e9)
        return self._cpu_ns


def _read(descriptor: int) -> bytes | None:
    """What is there; b"" at the end of file, None where nothing is there yet."""
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None


def _add_stderr(error: PrfpipeError, program: Program, code: int | None, stderr: IO[bytes]) -> None:
    stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, stderr.tell() - _STDERR_TAIL))
    if tail := stderr.read().decode("utf-8", "replace").strip():
        error.add_note(f"{program.name} ended with {code}; the end of its stderr:\n{tail}")
