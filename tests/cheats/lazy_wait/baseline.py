"""Asks a device that takes two milliseconds, for five of eight texts."""

import threading


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        if is_long(operation):
            ask_device()
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass


def is_long(operation):
    return operation["words"][:1] < ["f"]


def ask_device():
    threading.Event().wait(0.002)
