"""Batches of decisions of the policy service: LEV-04's, which is itself a hot path of the runtime.

Each decision and each change of its rules goes on record. Who may ask for decisions and who may change rules is
decided by the runtime's own policy.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import contains
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from gates.runtime import levers
from gates.runtime.policy import Uid
from gates.runtime.trust import as_json

if TYPE_CHECKING:
    from gates.runtime.core import Runtime

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
        # As they came: to choose what to tell takes longer than to encode, hash and write all of it. Before the service
        # has them: what is read here is in the processor's caches for it, and has gone from there when it is done.
        asked = None if self._guard.audit is None else _as_json(items)
        try:
            found: dict[str, Any] = self._service.operate(operation)
        except Exception:
            # Items before the one that was not understood have changed the rules.
            if asked is not None:
                self._guard.record({"event": "asked", "by": by[1], "items": asked}, orjson.dumps)
            raise
        if asked is not None:
            told = {"event": "decided", "by": by[1], "items": asked, "answers": _as_json(found["answers"])}
            self._guard.record(told, orjson.dumps)
        return found

    def close(self) -> None:
        """Nothing is held outside of the process."""


def _changes(items: Sequence[Any]) -> bool:
    """Whether there is anything but requests for decisions."""
    try:
        return not all(map(contains, items, repeat("principal")))
    except TypeError:  # one is a number or null, which the service answers with what is wrong
        return True


def _as_json(value: Any) -> orjson.Fragment:
    try:
        return orjson.Fragment(orjson.dumps(value))
    except TypeError:  # a number of more than 64 bits, or half a surrogate pair
        return orjson.Fragment(as_json(value))
