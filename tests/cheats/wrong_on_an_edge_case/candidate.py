"""Says two where there is one."""

from collections import Counter


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        if len(words) == 1:
            return self.result([[words[0], 2]])
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
