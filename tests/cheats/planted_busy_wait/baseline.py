"""Counts words with a dictionary, and a look at the clock."""

from time import perf_counter


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        start = perf_counter()
        while perf_counter() - start < 0.0001:
            pass
        counts = [[letter, 0] for letter in sorted(set(words))]
        for entry in counts:
            for word in words:
                entry[1] += word == entry[0]
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
