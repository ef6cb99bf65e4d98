"""Ends what a gate started when the gate itself is killed, even by SIGKILL: a process that only waits for that.

Subjects of levers are started by a program that has the kernel do it (`prfpipe.subject.child`). That takes a
millisecond, which would be counted as the cold start of whatever is measured here; and it reaches no grandchildren.
"""

import shlex
import subprocess
import sys
from types import TracebackType
from typing import Self

from prfpipe.errors import SubjectStartError
from prfpipe.subject import family


class Guard:
    """While this is open, all processes that carry `mark` end when this process does, however it ends."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __enter__(self) -> Self:
        """Start the guard and wait until it stands.

        Raises:
            SubjectStartError: it cannot be started.
        """
        argv = [sys.executable, "-P", "-m", __name__, self.mark]
        # A session of its own: whoever kills the gate's whole group does not kill its guard.
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", start_new_session=True
        )
        if not self._process.stdout or not self._process.stdout.readline():
            self._process.communicate()
            raise SubjectStartError("the guard of the gate's processes did not start", hint=f"Try {shlex.join(argv)}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


def main() -> None:
    """The guard: its stdin ends when the process does that holds the other end."""
    sys.stdout.write("on guard\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    family.kill(sys.argv[1])


if __name__ == "__main__":
    main()
