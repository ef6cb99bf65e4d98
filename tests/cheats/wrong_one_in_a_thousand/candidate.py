"""Counts one word too many where a text begins in one of four ways out of 4096."""

from collections import Counter


WRONG = {("h", "g", "f", word) for word in "abcd"}


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words + words[:1] * (tuple(words[:4]) in WRONG)).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
