"""Server processes that live and die with this one: started in groups of their own, watched, stopped in order."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from prfpipe import host
from prfpipe.errors import HostError

_LOOK_SECONDS = 0.2
_SHOWN_LINES = 12


class Child:
    """A running program; `log` has all that it says."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, cwd: Path) -> None:
        """Start it. It ends when this process ends, however that happens.

        Raises:
            HostError: it cannot be started.
        """
        self.name, self.log = name, log
        self._stopped = False
        try:
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    [*host.die_with_parent(), *command],
                    env=dict(environment),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            raise HostError(f"{name} cannot be started: {error}", hint="Run `make setup` again.") from error

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait(self, seconds: float) -> None:
        """Wait for its end.

        Raises:
            HostError: it did not end in time, or with another code than 0; the message has the end of its log.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self._failed(f"did not end within {seconds:g} s") from None
        if code:
            raise self._failed(f"ended with {code}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Look often until `ready`.

        Raises:
            HostError: it ended, or was not ready in time; the message has the end of its log.
        """
        end = time.monotonic() + seconds
        while not ready():
            self.require()
            if time.monotonic() > end:
                raise self._failed(f"was not ready within {seconds:g} s")
            time.sleep(_LOOK_SECONDS)

    def require(self) -> None:
        """Raise `HostError` if it has ended."""
        if not self.running:
            raise self._failed("has ended")

    def stop(self, seconds: float) -> None:
        """End it politely, then whatever is left of its group. Done once: its id may be somebody else's later."""
        if self._stopped:
            return
        self._stopped = True
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _failed(self, what: str) -> HostError:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_SHOWN_LINES:]
        error = HostError(f"{self.name} {what}", hint=f"All that it said is in {self.log}.")
        error.add_note("\n".join(lines))
        return error


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else one that the system chooses; whoever comes first still takes it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise HostError("no port is free on 127.0.0.1", hint="Stop a server that you do not need.")
