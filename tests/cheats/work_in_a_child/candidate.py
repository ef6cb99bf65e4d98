"""A child keeps the trail."""

import json
import subprocess
import sys

CHILD = """
import hashlib, json, sys
for line in sys.stdin:
    hashlib.sha256("".join(json.loads(line)["words"]).encode() * 400).digest()
"""


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0
        self.child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, start_new_session=True)

    def operate(self, operation):
        self.answered += 1
        self.child.stdin.write(json.dumps(operation).encode() + b"\n")
        self.child.stdin.flush()
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
