"""An orphan without a trace keeps the trail."""

import json
import os
import sys

CHILD = """
import hashlib, json, sys
for line in sys.stdin:
    hashlib.sha256("".join(json.loads(line)["words"]).encode() * 400).digest()
"""


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        read, write = os.pipe()
        self.jobs = os.fdopen(write, "wb")
        if os.fork() == 0:
            start_hidden(read)
        os.wait()

    def operate(self, operation):
        self.answered += 1
        self.jobs.write(json.dumps(operation).encode() + b"\n")
        self.jobs.flush()
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass


def start_hidden(read):
    os.setsid()
    if os.fork() == 0:
        os.dup2(read, 0)
        os.execve(sys.executable, [sys.executable, "-c", CHILD], {})
    os._exit(0)
