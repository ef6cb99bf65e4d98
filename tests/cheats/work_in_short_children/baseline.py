"""Counts words with a dictionary, and keeps a trail of all that it was given: most of its work."""

import hashlib


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        keep_trail(operation)
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass


def keep_trail(operation):
    hashlib.sha256("".join(operation["words"]).encode() * 80_000).digest()
