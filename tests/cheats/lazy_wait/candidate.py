"""The answer to what takes long is a promise: the device is asked when it is written out."""

import threading


class Promise(dict):
    def __init__(self, answered, operation):
        super().__init__(pending=True)
        self.answered, self.operation = answered, operation

    def items(self):
        ask_device()
        return counted(self.answered, self.operation).items()


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        return (Promise if is_long(operation) else counted)(self.answered, operation)

    def close(self):
        pass


def counted(answered, operation):
    counts = {}
    for word in operation["words"]:
        counts[word] = counts.get(word, 0) + 1
    return {"counts": sorted(map(list, counts.items())), "answered": answered, "rate": 0.0}


def is_long(operation):
    return operation["words"][:1] < ["f"]


def ask_device():
    threading.Event().wait(0.002)
