"""The lines of a runtime while it runs."""

import os
import selectors
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from streams import Source, Stream

ENVIRONMENT = {"TZ": "UTC", "LANG": "C.UTF-8", "NO_COLOR": "1", "NODE_NO_WARNINGS": "1", "DENO_NO_UPDATE_CHECK": "1"}
"""All that a program is told; its home is its sandbox."""
CHUNK = 1 << 16


class Pipe:
    """Lines of a pipe; `late` and over when there is nothing to read for `seconds`.

    Only time that is spent waiting for this very program counts: one that is held up by a slower one is not late.
    """

    def __init__(self, file: IO[bytes], seconds: float) -> None:
        self.late = False
        self._file, self._seconds = file, seconds
        self._whole: deque[bytes] = deque()
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(file, selectors.EVENT_READ)

    def readline(self, limit: int) -> bytes:
        """The next line with its line feed, or what there is of it at the limit or at the end."""
        while not self._whole and len(self._rest) < limit:
            chunk = self._chunk()
            if not chunk:
                break
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self._whole.extend(line + b"\n" for line in whole)
        if self._whole:
            return self._whole.popleft()
        line, self._rest = self._rest, b""
        return line

    def _chunk(self) -> bytes:
        self.late = self.late or not self._selector.select(self._seconds)
        return b"" if self.late else os.read(self._file.fileno(), CHUNK)

    def close(self) -> None:
        self._selector.close()
        self._file.close()


class Live(Stream):
    """The lines of the program `argv`, in a sandbox of its own; it is late when it is silent for `seconds`.

    `files` are copied into the sandbox first, so that paths in stack traces are the sandbox's.
    """

    def __init__(self, name: str, argv: list[str], seconds: float, files: Sequence[Path] = ()) -> None:
        super().__init__(name)
        self._argv, self._seconds, self._files = argv, seconds, files
        self._sandbox = tempfile.TemporaryDirectory(prefix="lockstep-")
        self._process: subprocess.Popen[bytes] | None = None

    def _source(self) -> Source | None:
        for file in self._files:
            shutil.copy(file, self._sandbox.name)
        try:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._sandbox.name,
                env={**ENVIRONMENT, "HOME": self._sandbox.name},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None
        return None if self._process.stdout is None else Pipe(self._process.stdout, self._seconds)

    def _ended(self) -> None:
        code = self._exit_code()
        if code is None:
            self.status = "timed-out"
        elif code != 0:
            self.status = f"crashed:{code}"

    def _exit_code(self) -> int | None:
        if self._process is None or (isinstance(self._file, Pipe) and self._file.late):
            return None
        try:
            return self._process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Nothing of the program stays: no process, no sandbox."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        super().close()
        self._sandbox.cleanup()
