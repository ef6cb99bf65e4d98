"""A shared mapping is the table."""

import mmap
from collections import Counter


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        self.table = mmap.mmap(-1, 120_000_000)
        self.table.write(bytes(120_000_000))

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
