"""Policy: who may do what, decided by Cedar; decisions are remembered for as long as the policy is in force.

A decision of Cedar takes as long as hundreds of dispatches. Requests here have no context and entities change only
with the policy, so the answer is a function of the epoch and the request. Who asks first has to wait for Cedar, which
is then in no cache, so it decides at once for all who are likely to ask the same.
"""

import json
from typing import Any

from gates.runtime.errors import ConfigError, DeniedError, ForgedError
from gates.runtime.lazy import later

HELD = 65536
"""Decisions that are remembered; beyond, all are made anew."""
AT_ONCE = 64
"""Principals of one type for whom a decision is made together; where there are more, each is on its own."""

Uid = tuple[str, str]
"""Type and id of a Cedar entity."""


class Policy:
    """One policy set with its entities, parsed when the first decision is asked for."""

    def __init__(self, policies: str, entities: str, epoch: int) -> None:
        self._sources = (policies, entities)
        self._parsed: tuple[Any, Any] | None = None
        self._principals: dict[str, list[Uid]] = {}
        self._decisions: dict[tuple[Uid, str, Uid], bool] = {}
        self.epoch = epoch

    def allows(self, principal: Uid, action: str, resource: Uid) -> bool:
        """Whether the policy in force allows it; whatever Cedar cannot decide is not allowed."""
        decision = self._decisions.get((principal, action, resource))
        if decision is None:
            if len(self._decisions) >= HELD:
                self._decisions.clear()
            self._decide(principal, action, resource)
            decision = self._decisions[principal, action, resource]
        return decision

    def require(self, principal: Uid, action: str, resource: Uid) -> None:
        """See `allows`.

        Raises:
            DeniedError: it is not allowed.
        """
        if not self.allows(principal, action, resource):
            raise DeniedError(f"{_text(principal)} may not {action} {_text(resource)} (policy epoch {self.epoch})")

    def successor(self, policies: str, entities: str, epoch: int) -> "Policy":
        """The policy to be put in force after this one, with no decisions made.

        Raises:
            ConfigError: it cannot be read.
            ForgedError: the epoch is not a newer one.
        """
        if epoch <= self.epoch:
            raise ForgedError(f"policy epoch {epoch} is not newer than {self.epoch}")
        found = Policy(policies, entities, epoch)
        found._parse()
        return found

    def _decide(self, principal: Uid, action: str, resource: Uid) -> None:
        """Remember the decision, and those for the other principals of its type, if they are few."""
        if self._parsed is None:
            self._parse()
        others = self._principals.get(principal[0], [])
        asking = others if principal in others and len(others) <= AT_ONCE else [principal]
        what = {"action": _uid(("Action", action)), "resource": _uid(resource), "context": "{}"}
        requests = [{"principal": _uid(one)} | what for one in asking]
        for one, found in zip(asking, engine().is_authorized_batch(requests, *self._parsed), strict=True):
            self._decisions[one, action, resource] = bool(found.allowed)

    def _parse(self) -> None:
        policies, entities = self._sources
        cedarpy = engine()
        try:
            parsed = cedarpy.PolicySet.from_str(policies), cedarpy.Entities.from_json_str(entities)
            self._principals = _by_type(entities)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ConfigError(f"the policy of epoch {self.epoch} cannot be read: {error}") from error
        self._parsed = parsed


def _by_type(entities: str) -> dict[str, list[Uid]]:
    found: dict[str, list[Uid]] = {}
    for entity in json.loads(entities):
        uid = entity["uid"].get("__entity", entity["uid"])  # both ways to write it are Cedar's
        found.setdefault(uid["type"], []).append((uid["type"], uid["id"]))
    return found


def engine() -> Any:
    """The engine's bindings; making the classes of their syntax tree takes four times as long as all else of them."""
    later("cedarpy.pst")
    import cedarpy

    return cedarpy


def _uid(uid: Uid) -> dict[str, str]:
    return {"type": uid[0], "id": uid[1]}


def _text(uid: Uid) -> str:
    return f'{uid[0]}::"{uid[1]}"'
