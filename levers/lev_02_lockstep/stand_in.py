"""A program that prints the lines of a file and then fails in the way that it is told; no runtime fails on demand.

`stand_in.py FILE LINES end|exit|kill|hang`: all LINES printed, then a normal end, exit code 3, a signal, or silence.
"""

import os
import signal
import sys
import time
from itertools import islice
from pathlib import Path


def main() -> None:
    """Print and fail."""
    path, count, how = sys.argv[1:]
    with Path(path).open("rb") as file:
        sys.stdout.buffer.writelines(islice(file, int(count)))
    sys.stdout.buffer.flush()
    if how == "exit":
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    while how == "hang":
        time.sleep(60)


if __name__ == "__main__":
    main()
