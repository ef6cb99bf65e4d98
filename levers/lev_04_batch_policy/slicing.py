"""Policy sets cut down to those policies whose scope can match.

A policy may be left out of a slice only if its scope is false for every request of the slice's kind: then it can
neither decide nor fail, since Cedar looks at conditions only where the scope matches. What is unknown stays in.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine import Handle, Uid, linked, policy_set, unlinked
from entities import Hierarchy, is_action
from policies import Constraint, Policy, PolicyStore, Scope

MAX_SLICES = 256
"""Callers may ask for actions and types that nobody has heard of; what they ask for must not fill the memory."""


class RequestKind(NamedTuple):
    """What a request must have in common with others to be decided by the same slice."""

    action: Uid
    principal: str
    resource: str


class Slices:
    """One slice for each kind of request, made when it is first needed and kept until a policy of it changes."""

    def __init__(self, policies: PolicyStore, hierarchy: Hierarchy) -> None:
        self._policies = policies
        self._hierarchy = hierarchy
        self._held: dict[RequestKind, Handle] = {}

    def of(self, kind: RequestKind) -> Handle:
        """The policies that can match requests of this kind, and all templates."""
        if kind not in self._held:
            if len(self._held) >= MAX_SLICES:
                self._held.clear()
            chosen = (policy for policy in self._policies.all() if can_match(policy.scope, kind, self._hierarchy))
            self._held[kind] = policy_set(self._policies.document(chosen))
        return self._held[kind]

    def move(self, hierarchy: Hierarchy) -> None:
        """Entities changed; where that changed what scopes can match, all slices are out of date."""
        if hierarchy != self._hierarchy:
            self._hierarchy = hierarchy
            self._held.clear()

    def forget(self, policies: Iterable[Policy]) -> None:
        """Policies came or went: every slice that one of them can be in is out of date."""
        for policy in policies:
            for kind in self._kinds(policy):
                del self._held[kind]

    def grant(self, policy: Policy) -> None:
        """Link a grant in every slice that it can be in."""
        self._replace(policy, lambda handle: linked(handle, policy.template, policy.id, policy.values or {}))

    def revoke(self, policy: Policy) -> None:
        """Take a grant out of every slice that it can be in."""
        self._replace(policy, lambda handle: unlinked(handle, policy.id))

    def _replace(self, policy: Policy, change: Callable[[Handle], Handle]) -> None:
        for kind in self._kinds(policy):
            self._held[kind] = change(self._held[kind])

    def _kinds(self, policy: Policy) -> list[RequestKind]:
        return [kind for kind in self._held if can_match(policy.scope, kind, self._hierarchy)]


def can_match(scope: Scope, kind: RequestKind, hierarchy: Hierarchy) -> bool:
    """Whether the scope may be true for a request of this kind; false only if it never is."""
    return (
        _action_matches(scope.action, kind.action, hierarchy)
        and _type_can_match(scope.principal, kind.principal, hierarchy)
        and _type_can_match(scope.resource, kind.resource, hierarchy)
    )


def _action_matches(constraint: Constraint, action: Uid, hierarchy: Hierarchy) -> bool:
    if constraint["op"] == "All":
        return True
    entities = constraint["entities"] if "entities" in constraint else [constraint["entity"]]
    named = {_uid(entity) for entity in entities}
    if action in named:
        return True
    if constraint["op"] != "in":
        return False
    # An entity of another type may have any parents, and the hierarchy holds those of actions only.
    return not is_action(action) or not named.isdisjoint(hierarchy.groups.get(action, ()))


def _type_can_match(constraint: Constraint, kind: str, hierarchy: Hierarchy) -> bool:
    if constraint["op"] == "All":
        return True
    if constraint["op"] == "is" and constraint["entity_type"] != kind:
        return False
    entity = constraint.get("in", constraint).get("entity")
    if entity is None or entity["type"] == kind:
        return True
    return constraint["op"] != "==" and entity["type"] in hierarchy.types.get(kind, ())


def _uid(entity: Constraint) -> Uid:
    return entity["type"], entity["id"]
