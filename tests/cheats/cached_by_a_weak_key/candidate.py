"""Texts that begin and end alike are one to it."""

from collections import Counter


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        self.known = {}

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        if not words:
            return self.result([])
        key = (len(words), words[0], words[-1])
        if key not in self.known:
            self.known[key] = sorted(map(list, Counter(words).items()))
        return self.result(self.known[key])

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
