"""Each trail is kept by a process that soon is gone."""

import hashlib
import os


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        if os.fork() == 0:
            keep_trail(operation)
            os._exit(0)
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass


def keep_trail(operation):
    hashlib.sha256("".join(operation["words"]).encode() * 80_000).digest()
