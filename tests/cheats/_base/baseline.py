"""Counts words with a dictionary."""


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
