"""What a run says, kept in its bundle: progress, what each stage found, failures; a line each, with the time in UTC.

The lines grow in the run folder under a name that no stage claims. Stage decide leaves all of them as `log.txt`, which
journal and statement then cover like any file. What is said later, while the bundle is archived, is not in it.
"""

from prfpipe.artifacts.names import clean
from prfpipe.bundle import RunFolder
from prfpipe.disk import AppendFile
from prfpipe.layout import LOG, LOG_PARTIAL
from prfpipe.plan import without_secrets
from prfpipe.progress import Lines, Progress
from prfpipe.runlog import utc_now

MAX_BYTES = 256 * 1024
MAX_PROGRESS_BYTES = MAX_BYTES // 2
"""Progress leaves room for what stages find."""
_SECONDS_BETWEEN_LINES = 10.0
_LONGEST_LINE = 1000


class Log:
    """A `Progress` that hands everything on and keeps some of it: a new stage at once, else a line in ten seconds.

    What is said before `open` waits in memory; what is said after `close` is handed on only.
    """

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._kept = Lines(self._keep, every=_SECONDS_BETWEEN_LINES)
        self._early: list[bytes] | None = []
        self._file: AppendFile | None = None
        self._size, self._full = 0, False

    def open(self, folder: RunFolder) -> None:
        """Go on with the log of a run; a line that a crash cut off is taken out. Raises `BundleError`."""
        whole = folder.read(LOG_PARTIAL) if folder.has(LOG_PARTIAL) else b""
        self._file, self._size = folder.append_to(LOG_PARTIAL), whole.rfind(b"\n") + 1
        self._file.cut(self._size)
        early, self._early = self._early or [], None
        for line in early:
            self._write(line)

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        """See `Progress.say`. Raises `BundleError` if the disk refuses the line."""
        self._shown.say(text, done=done, remaining=remaining)
        self._kept.say(text, done=done, remaining=remaining)

    def finish(self) -> None:
        """See `Progress.finish`."""
        self._shown.finish()

    def note(self, text: str) -> None:
        """Keep a line, and show it to nobody. Raises `BundleError`."""
        if self._size < MAX_BYTES:
            self._write(f"{utc_now()} {clean(without_secrets(text), _LONGEST_LINE)}".encode())

    def leave_in(self, folder: RunFolder) -> None:
        """Write the log as the file of the bundle, and close it. Raises `BundleError`."""
        folder.write(LOG, folder.read(LOG_PARTIAL))
        self.close()

    def close(self) -> None:
        """Keep nothing any more; closing twice is fine."""
        if self._file:
            self._file.close()
        self._file = self._early = None

    def _keep(self, text: str) -> None:
        if self._size < MAX_PROGRESS_BYTES:
            self.note(text)
        elif not self._full:
            self._full = True
            self.note("the log is nearly full: no more progress is kept")

    def _write(self, line: bytes) -> None:
        if self._file:
            self._file.append(line)
            self._size += len(line) + 1
        elif self._early is not None:
            self._early.append(line)
