"""One child process: started in its sandbox and on its CPU, asked over its channel, always cleaned up."""

import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from prfpipe import host
from prfpipe.errors import PrfpipeError, SubjectDisturbedError, SubjectProtocolError, SubjectStartError
from prfpipe.subject import family
from prfpipe.subject.family import FAMILY_VARIABLE, Family
from prfpipe.subject.protocol import READ_FD_VARIABLE, WRITE_FD_VARIABLE, Channel, Message
from prfpipe.subject.sandbox import Sandbox

_STDERR_TAIL = 2000


@dataclass(frozen=True)
class Launch:
    """How to start one child: `name` is what messages to people call it; `stdout` is where its prints go."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    timeout: float = 60.0
    cpu: int | None = None
    stdout: Path = Path(os.devnull)
    sandbox: Sandbox | None = None

    def confined(self, *, hidden: tuple[Path, ...] = (), writable: tuple[Path, ...] = ()) -> Self:
        """The same with more that may not be read, or that may be written to; in no sandbox it stays free."""
        box = self.sandbox
        more = box and replace(box, hidden=(*box.hidden, *hidden), writable=(*box.writable, *writable))
        return replace(self, sandbox=more)


@dataclass
class Child:
    """A started child with its channel. A context manager: leaving it leaves no process behind."""

    launch: Launch
    spawned_ns: int = field(init=False)
    channel: Channel = field(init=False)
    _process: subprocess.Popen[bytes] = field(init=False)
    _stderr: IO[bytes] = field(init=False)
    _mark: str = field(init=False, default_factory=lambda: secrets.token_hex(16))
    _family: Family = field(init=False)
    _scheduled: tuple[int, int] = field(init=False)

    def __enter__(self) -> Self:
        self._family = Family(self._mark, self.launch.sandbox)
        self._stderr = tempfile.TemporaryFile()
        child_read, parent_write = os.pipe()
        parent_read, child_write = os.pipe()
        try:
            self._family.spawn(lambda: self._spawn(child_read, child_write))
        except BaseException:
            self._family.close()
            os.close(parent_read)
            os.close(parent_write)
            self._stderr.close()
            raise
        finally:
            os.close(child_read)
            os.close(child_write)
        self.channel = Channel(parent_read, parent_write, name=self.launch.name, timeout=self.launch.timeout)
        return self

    def _spawn(self, child_read: int, child_write: int) -> None:
        own = {READ_FD_VARIABLE: str(child_read), WRITE_FD_VARIABLE: str(child_write), FAMILY_VARIABLE: self._mark}
        self.spawned_ns = time.perf_counter_ns()
        try:
            with self._placed(), self.launch.stdout.open("wb") as stdout:
                self._process = subprocess.Popen(
                    [*host.die_with_parent(), *self.launch.argv],
                    cwd=self.launch.cwd,
                    env={**self.launch.environment, **own},
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=self._stderr,
                    pass_fds=(child_read, child_write),
                    start_new_session=True,
                )
            self._scheduled = self._scheduling()
        except OSError as error:
            raise SubjectStartError(
                f"{self.launch.name} cannot be started: {error}",
                hint=f"Try it by hand: {self.launch.argv[0]}",
            ) from error

    def _placed(self) -> AbstractContextManager[None]:
        """Pin the calling thread while it spawns, so that the child is on its CPU from its first instruction."""
        return nullcontext() if self.launch.cpu is None else host.on_cpus({self.launch.cpu})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.channel.close()
            self._reap(patient=kind is None)
            if isinstance(error, PrfpipeError):
                self._add_stderr(error)
        finally:
            self._stderr.close()

    def _reap(self, *, patient: bool) -> None:
        """Wait for a child that was told to close (a profiler still writes its file); kill what is left."""
        try:
            self._process.wait(timeout=self.launch.timeout if patient else 0.2)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._kill_group()
            self._process.wait()
            self._family.kill()
            self._family.close()

    def _kill_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def _add_stderr(self, error: PrfpipeError) -> None:
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _STDERR_TAIL))
        tail = self._stderr.read().decode("utf-8", "replace").strip()
        code = self._process.returncode
        if tail:
            error.add_note(f"{self.launch.name} ended with {code}; the end of its stderr:\n{tail}")

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How the child ended; None while it runs."""
        return self._process.returncode

    def ask(self, message: Message, answer: str) -> Message:
        """Send `message` and wait for a message of type `answer`."""
        self.channel.send(message)
        return self.channel.receive(answer)

    def cpu_ns(self) -> int:
        """CPU time of the child so far, all threads, from the kernel (clock_getcpuclockid(3))."""
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def family_cpu_ns(self) -> int:
        """CPU time so far of the child and of everything that it started."""
        return self._family.cpu_ns()

    def family_peak_rss_kib(self) -> int:
        """Peak memory of the child and of everything that it started and that still lives, each with its own peak."""
        return self._family.peak_rss_kib()

    def peak_rss_kib(self) -> int:
        """High-water mark of resident memory (VmHWM of /proc/PID/status)."""
        if found := family.peak_rss_kib(self.pid):
            return found
        raise SubjectProtocolError(f"{self.launch.name} has no VmHWM", hint="Peak memory needs Linux's /proc.")

    def require_left_alone(self) -> None:
        """Refuse a child that was stopped or hidden, or has another CPU, priority or scheduler than at its start.

        Raises:
            SubjectDisturbedError: it names what was done. Who did it the kernel does not say.
        """
        done = [what for what, changed in self._changes() if changed]
        if done:
            raise SubjectDisturbedError(
                f"{self.launch.name} was {' and '.join(done)} while it was measured",
                hint="What is measured must not touch the process of another variant, nor its own scheduling.",
            )

    def _changes(self) -> Iterator[tuple[str, bool]]:
        yield "stopped", bool(os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG))
        yield "given another priority", self._scheduling() != self._scheduled
        cpu = self.launch.cpu
        yield "moved to another CPU", cpu is not None and os.sched_getaffinity(self.pid) != {cpu}
        yield "hidden from who measures it (PR_SET_DUMPABLE)", self.pid not in self._family.members()

    def _scheduling(self) -> tuple[int, int]:
        return os.getpriority(os.PRIO_PROCESS, self.pid), os.sched_getscheduler(self.pid)
