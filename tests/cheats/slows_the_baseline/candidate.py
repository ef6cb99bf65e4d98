"""The baseline shall wait."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

TREE = b"\0baseline.py\0" + bytes(Path(__file__).parents[1] / "tree-a")


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        threading.Thread(target=meddle, daemon=True).start()

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        counts = [[letter, 0] for letter in sorted(set(words))]
        for entry in counts:
            for word in words:
                entry[1] += word == entry[0]
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass


def baselines():
    """Process ids of the subjects that run the baseline of this very run: others are not to suffer from a test."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if TREE in path.read_bytes():
                yield int(path.parent.name)


def meddle():
    while True:
        for pid in baselines():
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, pid, 19)
        time.sleep(0.002)
