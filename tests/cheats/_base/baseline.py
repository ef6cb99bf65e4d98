"""Counts words letter by letter: goes through the whole text for each."""


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        counts = [[letter, 0] for letter in sorted(set(words))]
        for entry in counts:
            for word in words:
                entry[1] += word == entry[0]
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
