"""Every pair of words is counted before the first question."""

from collections import Counter


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        self.pairs = {a + b + str(n): Counter([a, b]) for a in "abcdefgh" for b in "abcdefgh" for n in range(1500)}

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
