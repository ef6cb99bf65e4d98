"""Leaves its input in another order than it came in."""

from itertools import groupby


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        words.sort(reverse=True)
        counts = [[word, len(list(same))] for word, same in groupby(words)]
        return {"counts": counts[::-1], "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
