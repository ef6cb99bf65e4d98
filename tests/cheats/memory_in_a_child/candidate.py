"""A child keeps the table."""

import subprocess
import sys
from collections import Counter


CHILD = "table = bytearray(b'x') * 120_000_000; print(flush=True); import time; time.sleep(600)"


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        self.child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True, stdout=subprocess.PIPE)
        self.child.stdout.read(1)

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
