"""Keeps the trail later, in a thread."""

import hashlib
import queue
import threading
import time


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        self.jobs = queue.SimpleQueue()
        threading.Thread(target=keep_trails, args=(self.jobs,), daemon=True).start()

    def operate(self, operation):
        self.answered += 1
        self.jobs.put(operation)
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass


def keep_trail(operation):
    hashlib.sha256("".join(operation["words"]).encode() * 400).digest()


def keep_trails(jobs):
    while True:
        operation = jobs.get()
        time.sleep(0.001 * jobs.empty())
        keep_trail(operation)
