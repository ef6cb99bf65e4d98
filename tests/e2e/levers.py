"""Levers of which one thing is wrong, each in the way in which a real one could be.

What is to be seen in real times is many times as slow or waits for a fixed time: no neighbour hides that.
"""

from pathlib import Path
from typing import Any

from tests.support.levers import BASELINE, CANDIDATE

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
    """Dies in the third invocation that is timed, and only there: its subjects have PRFPIPE_PADDING.

    So has the one before them, of which stage implement sees what it loads.
    """
    count = home / "count"
    count.write_text("")
    crash = f"""\
        count, timed = pathlib.Path({str(count)!r}), "PRFPIPE_PADDING" in os.environ
        count.write_text(count.read_text() + "x" * timed)
        timed and count.read_text() == "xxxx" and (os.write(2, b"a bolt from the blue"), os.abort())
"""
    candidate = CANDIDATE.replace("        self.answered = 0\n", f"        self.answered = 0\n{crash}")
    return {"candidate": f"import os\nimport pathlib\n{candidate}", "profiles": ["py-spy"]}


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
