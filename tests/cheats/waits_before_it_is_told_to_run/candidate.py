"""Changes the runner so that loading a block asks the device."""

import sys
import threading

server = sys.modules["__main__"].SubjectServer
load = server.load


def load_and_ask(self, message):
    for _ in message["operations"]:
        ask_device()
    return load(self, message)


server.load = load_and_ask


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


def ask_device():
    threading.Event().wait(0.002)
