"""Batches of decisions of the policy service: LEV-04's, which is itself a hot path of the runtime.

Each decision and each change of its rules goes on record. Who may ask for decisions and who may change rules is
decided by the runtime's own policy.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from gates.runtime import levers
from gates.runtime.policy import Uid

if TYPE_CHECKING:
    from gates.runtime.core import Runtime

_REQUEST = itemgetter("at", "principal", "action", "resource")
RULES: Uid = ("Rules", "service")
POLICIES = 100
"""How many the service begins with."""


class HotPath:
    """One policy service."""

    def __init__(self, runtime: "Runtime", workdir: Path) -> None:
        self._guard = runtime.guard
        lever = levers.load("lev_04_batch_policy", "candidate", admit=self._guard.admit_code)
        self._service = lever.candidate.Subject({"policies": POLICIES}, workdir)

    def perform(self, operation: Mapping[str, Any], by: Uid) -> dict[str, Any]:
        """Answers in order and the state after them; see LEV-04's `workload.py` for the operation."""
        items = operation["items"]
        self._guard.require(by, "decide", RULES)
        if _changes(items):
            self._guard.require(by, "change", RULES)
        found: dict[str, Any] = self._service.operate(operation)
        if self._guard.audit is not None:
            decisions = list(map(_told, items, found["answers"]))
            self._guard.record({"event": "decided", "by": by[1], "items": decisions}, orjson.dumps)
        return found

    def close(self) -> None:
        """Nothing is held outside of the process."""


def _changes(items: Sequence[Any]) -> bool:
    """Whether there is anything but requests for decisions."""
    try:
        return any("principal" not in item for item in items)
    except TypeError:  # one is a number or null, which the service answers with what is wrong
        return True


def _told(item: Any, answer: Mapping[str, Any]) -> Any:
    """A decision as the record has it: who, what, on what, how, and by which policies; anything else as it came."""
    try:
        at, who, what, on = _REQUEST(item)
        return at, who["type"], who["id"], what["id"], on["type"], on["id"], answer["decision"], answer["reasons"]
    except (KeyError, TypeError):
        return item, answer
