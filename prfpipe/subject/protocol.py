"""The wire: one JSON document a line on two inherited pipes (docs/subject-protocol.md).

The channel only moves messages and enforces time limits; what they mean is `process.py`'s business.
"""

import gc
import json
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from prfpipe.errors import SubjectCrashError, SubjectHangError, SubjectProtocolError

PROTOCOL = 1
READ_FD_VARIABLE = "PRFPIPE_READ_FD"
WRITE_FD_VARIABLE = "PRFPIPE_WRITE_FD"
MAX_MESSAGE_BYTES = 512 * 1024 * 1024
_CHUNK = 1024 * 1024
_HINTS = {
    "ModuleNotFoundError": "Install what is missing and list it under `requires`.",
    "PermissionError": "A subject may write into its working folder only, and read nothing of the run; "
    "PRFPIPE_SANDBOX=off lifts that.",
}

Message = dict[str, Any]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Decoding makes no garbage, and to look for some in what it makes takes eight times as long."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


class Channel:
    """Both ends of the parent's side. `name` is used in messages to people."""

    def __init__(self, read_fd: int, write_fd: int, *, name: str, timeout: float) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self._name, self._timeout = name, timeout
        self._buffer = bytearray()
        os.set_blocking(write_fd, False)
        self._poll = select.poll()
        self._poll.register(read_fd, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(write_fd, select.POLLOUT)

    def send(self, message: Message) -> None:
        """Write one message.

        Raises:
            SubjectCrashError: the subject closed its end.
            SubjectHangError: it does not read.
        """
        data = memoryview(json.dumps(message, allow_nan=False).encode() + b"\n")
        deadline = time.monotonic() + self._timeout
        while data:
            self._wait(self._writable, deadline)
            try:
                data = data[os.write(self._write_fd, data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise self._gone() from error

    def receive_line(self) -> bytes:
        """The next message as bytes, without its newline.

        Raises:
            SubjectCrashError: the subject went away.
            SubjectHangError: no whole message within the time limit.
            SubjectProtocolError: the message is too long.
        """
        deadline = time.monotonic() + self._timeout
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_MESSAGE_BYTES:
                raise self._protocol_error(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
            self._wait(self._poll, deadline)
            chunk = os.read(self._read_fd, _CHUNK)
            if not chunk:
                raise self._gone()
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def receive(self, kind: str) -> Message:
        """The next message, which must be of `kind`; an `error` message is raised as what it tells.

        Raises:
            SubjectCrashError: the lever's code raised.
            SubjectProtocolError: anything but a message of that kind.
        """
        return self.parse(self.receive_line(), kind)

    def parse(self, line: bytes, kind: str) -> Message:
        """See `receive`."""
        try:
            with _no_collection():
                message = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise self._protocol_error(f"{line[:80]!r}, which is not JSON") from error
        if not isinstance(message, dict):
            raise self._protocol_error(f"{line[:80]!r}, which is not a JSON object")
        if message.get("type") == "error":
            raise self._lever_failure(message)
        if message.get("type") != kind:
            raise self._protocol_error(f"a message of type {message.get('type')!r} where {kind!r} was expected")
        return message

    def close(self) -> None:
        """Close both ends; the other side reads end of file."""
        os.close(self._read_fd)
        os.close(self._write_fd)

    def _wait(self, poll: select.poll, deadline: float) -> None:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise SubjectHangError(
                f"{self._name} did not answer within {self._timeout:g} s",
                hint="Look for an endless loop or a deadlock; if operations really take that long, "
                "set PRFPIPE_SUBJECT_TIMEOUT_SECONDS higher.",
            )

    def _gone(self) -> SubjectCrashError:
        return SubjectCrashError(
            f"{self._name} went away without an answer",
            hint="Run it alone with `prfpipe check` and read its stderr.",
        )

    def _protocol_error(self, what: str) -> SubjectProtocolError:
        return SubjectProtocolError(f"{self._name} sent {what}", hint="docs/subject-protocol.md shows each message.")

    def _lever_failure(self, message: Message) -> SubjectCrashError:
        stage, error = str(message.get("stage", "?")), str(message.get("error", "?"))
        trace = str(message.get("trace", "")).strip().splitlines()
        where = next((line.strip() for line in reversed(trace) if line.lstrip().startswith("File ")), "")
        told = [hint for name, hint in _HINTS.items() if error.startswith(name)]
        hint = (*told, f"Last frame: {where}" if where else "Fix the subject; its own message is above.")[0]
        return SubjectCrashError(f"{self._name} failed in {stage}: {error}", hint=hint)
