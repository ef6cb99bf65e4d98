"""Its code is in a text."""

from pathlib import Path

code = {}
exec(Path(__file__).with_name("fast.txt").read_text(), code)
Counter = code["Counter"]


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

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
