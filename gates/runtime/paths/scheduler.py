"""Segments of the scheduler's work: LEV-05's, with the tuned wheel.

A segment is what the scheduler does between two points at which somebody else can see what ran.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from gates.runtime import levers
from gates.runtime.policy import Uid

if TYPE_CHECKING:
    from gates.runtime.core import Runtime

LANES: Uid = ("Lanes", "scheduler")


class HotPath:
    """One scheduler."""

    def __init__(self, runtime: "Runtime", workdir: Path) -> None:
        self._guard = runtime.guard
        lever = levers.load("lev_05_scheduler", "candidate", admit=self._guard.admit_code)
        self._scheduler = lever.candidate.Subject({}, workdir)

    def perform(self, operation: list[list[int]], by: Uid) -> dict[str, Any]:
        """What ran in each tick; see LEV-05's `lanes.py` for the operation."""
        self._guard.require(by, "schedule", LANES)
        found: dict[str, Any] = self._scheduler.operate(operation)
        ticks, missed = len(found["ran"]), len(found["missed"])
        event = {"event": "scheduled", "by": by[1], "ticks": ticks, "missed": missed}
        self._guard.record(event | {"pending": found["pending"]}, orjson.dumps)
        return found

    def close(self) -> None:
        """Nothing is held outside of the process."""
