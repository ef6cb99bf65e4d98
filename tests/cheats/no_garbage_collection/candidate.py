"""Garbage in cycles stays."""

import gc
from collections import Counter


gc.disable()


def keep_rings(words):
    rings = [[bytearray(2000)] for _ in words]
    for ring in rings:
        ring.append(ring)


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        keep_rings(words)
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
