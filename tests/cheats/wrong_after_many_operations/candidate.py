"""Counts one word too many from the 401st operation on."""

from collections import Counter


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words + words[:1] * (self.answered > 400)).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
