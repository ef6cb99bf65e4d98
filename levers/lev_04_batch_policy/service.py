"""A policy service, as far as both variants share it: what it is sent, what it keeps, what it answers.

It is sent batches of items. An item is a request, which is answered by a decision, or an event that changes what is
in force. Whatever the variant does inside, every item sees the world as all items before it have left it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import world
from engine import Decision, Uid
from entities import EntityStore
from policies import Policy, PolicyStore
from state import Counters, Request

Answer = dict[str, Any]
EVENTS = ("load", "policies", "entities", "grant", "revoke")


class Event(NamedTuple):
    """A change of what is in force, by one of the names of `EVENTS`."""

    name: str
    body: Any


class Malformed(NamedTuple):
    """An item that is neither event nor request, and why."""

    error: str


class Service(ABC):
    """Policies, entities and counters. Variants hold what they derive from them, and hear of each change."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._load(world.of(params))

    def operate(self, operation: Mapping[str, Any]) -> Answer:
        """Answers to the operation's items, in their order, and the whole state after them."""
        answers = self.answers([parsed(item) for item in operation["items"]])
        return {"answers": answers, "state": self.counters.listing()}

    @abstractmethod
    def answers(self, items: Sequence[Request | Event | Malformed]) -> list[Answer]:
        """One answer for each item, as if each was answered before the next came."""

    @abstractmethod
    def everything_changed(self) -> None:
        """Policies and entities are new."""

    @abstractmethod
    def policies_changed(self, policies: Sequence[Policy]) -> None:
        """These static policies came or went."""

    @abstractmethod
    def entities_changed(self) -> None:
        """Entities came or were replaced."""

    @abstractmethod
    def granted(self, policy: Policy) -> None:
        """This grant came."""

    @abstractmethod
    def revoked(self, policy: Policy) -> None:
        """This grant went."""

    def change(self, event: Event) -> Answer:
        """Let an event happen; a refused one changes nothing."""
        changes: dict[str, Callable[[Any], None]] = {
            "load": self._load,
            "policies": self._change_policies,
            "entities": self._change_entities,
            "grant": self._grant,
            "revoke": self._revoke,
        }
        try:
            changes[event.name](event.body)
        except ValueError as error:
            return {"refused": str(error)}
        self.epoch += 1
        return {"epoch": self.epoch}

    def settled(self, request: Request, decision: Decision) -> Answer:
        """The answer to a request; its decision leaves its mark in the state, which the answer shows."""
        return _answer(decision, self.counters.settle(request, decision.outcome))

    def _load(self, config: world.World) -> None:
        policies, entities, counters = PolicyStore(), EntityStore(), Counters(config.get("rules", {}))
        entities.put(config.get("entities", []))
        policies.add_templates(config.get("templates", {}))
        policies.put(config.get("policies", {}))
        for grant in config.get("grants", []):
            policies.grant(**_link(grant))
        self.policies, self.entities, self.counters, self.epoch = policies, entities, counters, 0
        self.everything_changed()

    def _change_policies(self, body: Mapping[str, Any]) -> None:
        self.policies_changed(self.policies.put(body.get("put", {}), body.get("drop", [])))

    def _change_entities(self, body: Sequence[object]) -> None:
        self.entities.put(body)
        self.entities_changed()

    def _grant(self, body: Mapping[str, Any]) -> None:
        self.granted(self.policies.grant(**_link(body)))

    def _revoke(self, name: str) -> None:
        self.revoked(self.policies.revoke(name))


def parsed(item: Any) -> Request | Event | Malformed:
    """What an item is; the whole of a request's form is checked here, so that no later step can stumble over it."""
    if isinstance(item, dict) and len(item) == 1 and next(iter(item)) in EVENTS:
        [(name, body)] = item.items()
        return Event(name, body)
    if not isinstance(item, dict) or type(item.get("at")) is not int:
        return Malformed("not a request: no time")
    principal, action, resource = (_uid(item.get(part)) for part in ("principal", "action", "resource"))
    if principal is None or action is None or resource is None:
        return Malformed("not a request: principal, action and resource are type and id each")
    context = item.get("context", {})
    if not isinstance(context, dict):
        return Malformed("not a request: the context is no object")
    return Request(item["at"], principal, action, resource, context)


def refused(item: Malformed) -> Answer:
    """The answer to what is no request: no decision, and no mark in the state."""
    return _answer(Decision("NoDecision", (), (item.error,)), {})


def _uid(value: object) -> Uid | None:
    if not isinstance(value, dict):
        return None
    kind, name = value.get("type"), value.get("id")
    return (kind, name) if isinstance(kind, str) and isinstance(name, str) else None


def _link(grant: Mapping[str, Any]) -> dict[str, Any]:
    values = {slot: (uid["type"], uid["id"]) for slot, uid in grant["values"].items()}
    return {"name": grant["id"], "template": grant["template"], "values": values}


def _answer(decision: Decision, state: dict[str, int]) -> Answer:
    return {
        "decision": decision.outcome,
        "reasons": decision.reasons,
        "errors": decision.errors,
        "state": state,
    }
