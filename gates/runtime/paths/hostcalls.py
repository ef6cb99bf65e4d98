"""Batches of host calls of a guest: LEV-03's bridge that lends.

A batch is what the guest does in one go between two returns to the host. The guest's scripts are signed code; which
host functions it may call is the policy's business; the record has what the host has seen.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from gates.runtime import levers
from gates.runtime.errors import DeniedError
from gates.runtime.policy import Uid

if TYPE_CHECKING:
    from gates.runtime.core import Runtime


class HotPath:
    """One guest in its engine."""

    def __init__(self, runtime: "Runtime", workdir: Path) -> None:
        self._guard = runtime.guard
        lever = levers.load("lev_03_zero_copy", "candidate", admit=self._guard.admit_code)
        self._bridge = lever.candidate.Subject({}, workdir)

    def perform(self, operation: Mapping[str, Any], by: Uid) -> dict[str, Any]:
        """What the guest got back and what the host has seen; see LEV-03's `workload.py` for the operation.

        Raises:
            DeniedError: it is no batch of calls that are named, but a script, which nobody has signed.
        """
        if "script" in operation or not operation["mix"]:
            raise DeniedError(f"{by[1]} may ask for host calls by their names only")
        for name, _ in operation["mix"]:
            self._guard.require(by, "call", ("Call", name))
        found: dict[str, Any] = self._bridge.operate(operation)
        self._guard.record({"event": "called", "by": by[1], "seed": operation["seed"], **found}, orjson.dumps)
        return found

    def close(self) -> None:
        """Ends the guest."""
        self._bridge.close()
