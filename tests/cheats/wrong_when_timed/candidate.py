"""Only measured subjects have a padding in their environment."""

import os
from collections import Counter


LENGTH = {True: 50, False: None}["PRFPIPE_PADDING" in os.environ]


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"][:LENGTH]
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
