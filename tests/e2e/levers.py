"""Levers of which one thing is wrong, each in the way in which a real one could be.

What is to be seen in real times is many times as slow or waits for a fixed time: no neighbour hides that.
"""

from pathlib import Path
from typing import Any

from tests.support.levers import BASELINE, CANDIDATE, WORKLOAD

COUNT = "        counts = {}\n"
RECORDED = {"faster": 2.0}
"""Levers that are evaluated by recorded clocks, and how many times faster the candidate is by them."""


def laborious(times: int) -> str:
    """The baseline, which looks at every word so many times more."""
    again = f"        for word in operation['words'] * {times}:\n            len(word)\n"
    return BASELINE.replace(COUNT, again + COUNT)


def many_times_slower(_: Path) -> dict[str, Any]:
    """Takes about ten times as long."""
    return {"candidate": laborious(20)}


def many_times_faster(_: Path) -> dict[str, Any]:
    """Takes a hundredth of the time; an operation of the baseline is longer than any core is taken away for."""
    return {"baseline": laborious(1500)}


def wrong_on_an_edge_case(_: Path) -> dict[str, Any]:
    """Many times as fast, and wrong where there is only one word."""
    wrong = "        if len(words) == 1:\n            return self.result([[words[0], 2]])\n        if not words:\n"
    return {"baseline": laborious(20), "candidate": CANDIDATE.replace("        if not words:\n", wrong)}


def varying_output(_: Path) -> dict[str, Any]:
    """Adds noise to a field of the answer."""
    return {"candidate": "import random\n" + CANDIDATE.replace('"rate": 0.0', '"rate": random.random()')}


def outside_its_path(_: Path) -> dict[str, Any]:
    """Uses a module that the lever does not declare."""
    candidate = "import helper\n" + CANDIDATE.replace("Counter(words)", "helper.Counter(words)")
    return {"candidate": candidate, "files": {"helper.py": "from collections import Counter\n"}}


def hanging(_: Path) -> dict[str, Any]:
    """Never answers, and has started a process of its own."""
    start = "        import subprocess\n        subprocess.Popen(['sh', '-c', 'sleep 600; :', workdir])\n"
    loop = "        while True:\n            pass\n"
    candidate = BASELINE.replace("        self.answered = 0\n", f"        self.answered = 0\n{start}")
    return {"candidate": candidate.replace(COUNT, loop + COUNT)}


def missing_import(_: Path) -> dict[str, Any]:
    """Needs what is not installed."""
    return {"candidate": "import not_installed_anywhere\n" + CANDIDATE}


def crashing_once(home: Path) -> dict[str, Any]:
    """Dies in the third invocation that is timed, and only there: bench subjects have PRFPIPE_PADDING."""
    count = home / "count"
    count.write_text("")
    crash = f"""\
        count, timed = pathlib.Path({str(count)!r}), "PRFPIPE_PADDING" in os.environ
        count.write_text(count.read_text() + "x" * timed)
        timed and count.read_text() == "xxx" and (os.write(2, b"a bolt from the blue"), os.abort())
"""
    candidate = CANDIDATE.replace("        self.answered = 0\n", f"        self.answered = 0\n{crash}")
    return {"candidate": f"import os\nimport pathlib\n{candidate}", "profiles": ["py-spy"]}


def patched_clock(_: Path) -> dict[str, Any]:
    """The baseline, with every clock that it can reach made to run slowly; both wait, which takes no core."""
    tamper = (
        "import sys\nimport time\n\nreal = time.perf_counter_ns\n"
        "time.perf_counter_ns = lambda: real() // 20\n"
        'sys.modules["__main__"].now = time.perf_counter_ns\n\n\n'
    )
    waiting = BASELINE.replace(COUNT, f"        time.sleep(0.02)\n{COUNT}")
    return {"baseline": f"import time\n\n\n{waiting}", "candidate": tamper + waiting}


EXTRA = 'hashlib.sha256(b"".join(word.encode() for word in operation["words"]) * 6400).digest()'
"""Longer than a cheat takes to answer, shorter than a session: little of it is undone when the session ends."""
LATER = f"""\
import hashlib
import queue
import threading
import time


def later(jobs):
    while True:
        operation = jobs.get()
        time.sleep(0.001 * jobs.empty())
        {EXTRA}


"""
START = """\
        self.jobs = queue.SimpleQueue()
        threading.Thread(target=later, args=(self.jobs,), daemon=True).start()
"""


def work_after_the_answer(_: Path) -> dict[str, Any]:
    """Hands most of its work to a thread that goes on when the answer is out."""
    candidate = BASELINE.replace("        self.answered = 0\n", f"        self.answered = 0\n{START}")
    return {
        "baseline": "import hashlib\n\n\n" + BASELINE.replace(COUNT, f"        {EXTRA}\n{COUNT}"),
        "candidate": LATER + candidate.replace(COUNT, f"        self.jobs.put(operation)\n{COUNT}"),
    }


def cached_by_content(_: Path) -> dict[str, Any]:
    """Remembers every answer under the words in order, which helps only where an input comes back."""
    look_up = """\
    def operate(self, operation):
        self.answered += 1
        key = tuple(sorted(operation["words"]))
        if key not in self.known:
            self.known[key] = self.count(key)
        return {"counts": self.known[key], "answered": self.answered, "rate": 0.0}

    def count(self, words):
        counts = {}
        for word in words:
            counts[word] = counts.get(word, 0) + 1
        return sorted(map(list, counts.items()))

    def close"""
    head, _, rest = BASELINE.partition("    def operate")
    head = head.replace("answered = 0", "answered = 0\n        self.known = {}")
    return {"candidate": head + look_up + rest.partition("    def close")[2]}


def cached_by_identity(_: Path) -> dict[str, Any]:
    """Takes an object at the same address for the same input."""
    counted = "sorted(map(list, Counter(words).items()))"
    cached = CANDIDATE.replace("answered = 0", "answered = 0\n        self.known = {}")
    return {"candidate": cached.replace(counted, f"self.known.setdefault(id(operation), {counted})")}


def worse_tail(_: Path) -> dict[str, Any]:
    """Many times faster in the median; every 5th operation waits for much longer than the baseline takes."""
    slow = "        if self.answered % 5 == 0:\n            time.sleep(0.05)\n"
    return {
        "baseline": laborious(20),
        "candidate": "import time\n" + CANDIDATE.replace("        if not words:\n", f"{slow}        if not words:\n"),
        "workload": WORKLOAD + '    yield "thirty times one word", [{"words": ["a"]}] * 30\n',
        "guards": {"p99": {"max_regression_percent": 5}},
    }


def slower_on_a_stratum(_: Path) -> dict[str, Any]:
    """Much faster on long texts, and much slower on short ones; no line or branch of its own tells them apart."""
    answered, words = "        self.answered = 0\n", '        words = operation["words"]\n'
    extra = '        self.extra = 30_000 * (params["words"] < 100)\n'
    candidate = CANDIDATE.replace(answered, answered + extra).replace(words, f"{words}        sum(range(self.extra))\n")
    return {
        "baseline": laborious(20),
        "candidate": candidate,
        "scenarios": {"small": {"primary": True, "params": {"words": 400}}, "tiny": {"params": {"words": 20}}},
        "must_hold": "all",
    }


def costly(_: Path) -> dict[str, Any]:
    """Faster, with ten times the memory and a start that takes much longer."""
    spend = "        self.table = bytearray(b'x') * 120_000_000\n        time.sleep(0.2)\n"
    candidate = CANDIDATE.replace("        self.answered = 0\n", f"        self.answered = 0\n{spend}")
    names = ("peak_rss", "cold_start")
    return {
        "candidate": f"import time\n{candidate}",
        "guards": {name: {"max_regression_percent": 25} for name in names},
    }


def equal(_: Path) -> dict[str, Any]:
    """No change at all."""
    return {"candidate": BASELINE}


def faster(_: Path) -> dict[str, Any]:
    """Faster; profiled by everything that there is."""
    return {"profiles": ["py-spy", "memray"]}


def reading_the_environment(home: Path) -> dict[str, Any]:
    """Looks for secrets in its environment, and keeps what it finds."""
    seen = f"""\
        found = sorted(name for name, value in os.environ.items() if "hunter2" in value)
        pathlib.Path({str(home / "seen")!r}).write_text(" ".join(found))
"""
    candidate = CANDIDATE.replace("        self.answered = 0\n", f"        self.answered = 0\n{seen}")
    return {"candidate": f"import os\nimport pathlib\n{candidate}"}


def leaving_a_daemon(_: Path) -> dict[str, Any]:
    """Starts a process that leaves the group and the session of the subject."""
    start = """\
        subprocess.Popen(["sh", "-c", "sleep 600; :", str(workdir)], start_new_session=True)
"""
    candidate = CANDIDATE.replace("        self.answered = 0\n", f"        self.answered = 0\n{start}")
    return {"candidate": f"import subprocess\n\n\n{candidate}", "profiles": ["py-spy"]}


def work_after_the_session(home: Path) -> dict[str, Any]:
    """As `work_after_the_answer`, with so much patience that the session ends first."""
    parts = work_after_the_answer(home)
    return parts | {"candidate": parts["candidate"].replace("time.sleep(0.001 * jobs.empty())", "time.sleep(0.002)")}


def work_at_the_end(home: Path) -> dict[str, Any]:
    """Does when it is closed what it should have done before."""
    at_close = f"        for operation in self.jobs:\n            {EXTRA}\n"
    candidate = BASELINE.replace("        self.answered = 0\n", "        self.answered = 0\n        self.jobs = []\n")
    candidate = candidate.replace(COUNT, f"        self.jobs.append(operation)\n{COUNT}").replace(
        "        pass\n", at_close
    )
    return work_after_the_answer(home) | {"candidate": f"import hashlib\n\n\n{candidate}"}


CHILD = f"""\
import hashlib
import json
import sys
import time

for line in sys.stdin:
    operation = json.loads(line)
    time.sleep(0.002)
    {EXTRA}
"""


def work_in_another_process(home: Path) -> dict[str, Any]:
    """Hands most of its work to a child in a session of its own, and does not wait for it."""
    start = """\
        command = [sys.executable, "-c", CHILD]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
"""
    hand_over = """\
        self.child.stdin.write(json.dumps(operation).encode() + b"\\n")
        self.child.stdin.flush()
"""
    candidate = BASELINE.replace("        self.answered = 0\n", f"        self.answered = 0\n{start}")
    candidate = candidate.replace(COUNT, hand_over + COUNT)
    head = f"import json\nimport subprocess\nimport sys\n\nCHILD = {CHILD!r}\n\n\n"
    return work_after_the_answer(home) | {"candidate": head + candidate}
