"""Counts words with care, twenty times, and leaves its last answer in its working folder."""

import json


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        self.last = workdir / "last.json"

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        for _ in range(20):
            counts = {}
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        found = sorted(map(list, counts.items()))
        self.last.write_text(json.dumps({"words": words, "counts": found}))
        return {"counts": found, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
