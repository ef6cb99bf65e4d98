"""Runs inside the child: gives a gate's subject its operations at the times at which they are due.

The runner serves it as a subject whose operation is a whole segment. Nothing waits for an answer before the next
operation is due: one that is due while another is still served is late, and its latency has that wait in it (open
loop; Tene 2013, "How not to measure latency"). Standard library only, like the runner.
"""

import gc
import importlib
import sys
import time
from hashlib import sha256
from pathlib import Path
from time import perf_counter_ns as now
from typing import Any

LEAD_NS = 2_000_000
"""From the call to the first moment at which something may be due."""
SPIN_NS = 300_000
"""A sleep ends late by up to about this much: the rest is waited for awake."""

Step = tuple[int, str, int]
"""Due so many ns after the segment's origin; what kind of operation; its number."""


class Subject:
    """`params`: `file` and `tree` of the gate's own subject, and its `params`."""

    def __init__(self, params: dict[str, Any], workdir: Path) -> None:
        sys.path.insert(0, params["tree"])
        self.own = importlib.import_module(Path(params["file"]).stem).Subject(params["params"], workdir)
        self.pauses = Pauses()

    def operate(self, segment: list[list[Any]]) -> dict[str, Any]:
        """One segment: what is due is prepared before it and verified after it, outside of all latencies."""
        steps: list[Step] = [(due, kind, number) for due, kind, number in segment]
        for _, kind, number in steps:
            self.own.prepare(kind, number)
        self.pauses.reset()
        origin, times, answers = serve(self.own, steps)
        pauses = [(begun - origin, took) for begun, took in self.pauses.taken]
        return {
            "origin": origin,
            "times": times,
            "pauses": pauses,
            "answers": self._verified(steps, answers),
            "facts": self.own.facts(),
        }

    def _verified(self, steps: list[Step], answers: list[Any]) -> dict[str, str]:
        """A digest for each kind, of all answers that must not depend on who comes and goes."""
        found: dict[str, Any] = {}
        for (_, kind, number), answer in zip(steps, answers, strict=True):
            canonical = self.own.verify(kind, number, answer)
            if canonical is not None:
                found.setdefault(kind, sha256()).update(sha256(canonical).digest())
        return {kind: digest.hexdigest() for kind, digest in found.items()}

    def close(self) -> None:
        """Ends the gate's own subject."""
        self.own.close()


def serve(own: Any, steps: list[Step]) -> tuple[int, list[tuple[int, int]], list[Any]]:
    """The origin (CLOCK_MONOTONIC), when each step began and ended since then, and the answers."""
    times: list[tuple[int, int]] = []
    answers: list[Any] = []
    operate, origin = own.operate, now() + LEAD_NS
    for due, kind, number in steps:
        wait_until(origin + due)
        begun = now()
        answer = operate(kind, number)
        times.append((begun - origin, now() - origin))
        answers.append(answer)
    return origin, times, answers


def wait_until(moment: int) -> None:
    """Returns at once where the moment has passed."""
    left = moment - now()
    if left > SPIN_NS:
        time.sleep((left - SPIN_NS) / 1e9)
    while now() < moment:
        pass


class Pauses:
    """When and how long the garbage collector stopped the subject: begin (CLOCK_MONOTONIC) and length, in ns."""

    def __init__(self) -> None:
        self._begun = 0
        self.taken: list[tuple[int, int]] = []
        gc.callbacks.append(self._heard)

    def reset(self) -> None:
        """Forget those so far."""
        self.taken = []

    def _heard(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = now()
        else:
            self.taken.append((self._begun, now() - self._begun))
