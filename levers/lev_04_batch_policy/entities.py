"""The entities of a service: whole, or only those that one decision can look at."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engine import Uid, mentioned, normal_entities


class Hierarchy(NamedTuple):
    """What scopes need of the hierarchy: the groups of each action, and the types that each type lies in."""

    groups: Mapping[Uid, frozenset[Uid]]
    types: Mapping[str, frozenset[str]]


class EntityStore:
    """Entities by uid, each held as text, so that cutting out a few costs no encoding."""

    def __init__(self) -> None:
        self._parents: dict[Uid, tuple[Uid, ...]] = {}
        self._references: dict[Uid, tuple[Uid, ...]] = {}
        self._texts: dict[Uid, str] = {}
        self._closures: dict[Uid, frozenset[Uid]] = {}
        self._hierarchy: Hierarchy | None = None

    def put(self, entities: Sequence[object]) -> None:
        """Add entities, or replace those with the same uid.

        Raises:
            ValueError: Cedar does not take them, or the hierarchy would have a cycle; nothing has changed then.
        """
        parsed = {_uid(entity["uid"]): entity for entity in normal_entities(entities)}
        parents = self._parents | {uid: _parents(entity) for uid, entity in parsed.items()}
        for uid in parsed:
            if uid in _above(uid, parents):
                raise ValueError(f"{uid[0]}::{json.dumps(uid[1])} would lie in itself")
        if parents != self._parents:
            self._parents, self._hierarchy = parents, None
        for uid, entity in parsed.items():
            self._references[uid] = tuple(mentioned(entity["attrs"]))
            self._texts[uid] = json.dumps(entity)
        self._closures.clear()

    def text(self) -> str:
        """All entities as a JSON list."""
        return f"[{','.join(self._texts.values())}]"

    def slice_text(self, uids: Iterable[Uid]) -> str:
        """The entities that a decision over `uids` can reach by parents and attributes, as a JSON list."""
        reached = frozenset().union(*(self._closure(uid) for uid in uids))
        return f"[{','.join(self._texts[uid] for uid in reached)}]"

    def hierarchy(self) -> Hierarchy:
        """The hierarchy as it stands; the same object for as long as no entity's parents change."""
        if self._hierarchy is None:
            self._hierarchy = _hierarchy(self._parents)
        return self._hierarchy

    def _closure(self, uid: Uid) -> frozenset[Uid]:
        found = self._closures.get(uid)
        if found is None and uid in self._texts:
            found = self._closures[uid] = frozenset(self._reachable(uid))
        return found or frozenset()

    def _reachable(self, uid: Uid) -> set[Uid]:
        seen, waiting = set[Uid](), [uid]
        while waiting:
            at = waiting.pop()
            if at in self._texts and at not in seen:
                seen.add(at)
                waiting += [*self._parents[at], *self._references[at]]
        return seen


def _hierarchy(parents: Mapping[Uid, tuple[Uid, ...]]) -> Hierarchy:
    above = {uid: _above(uid, parents) for uid in parents}
    types: dict[str, set[str]] = {}
    for uid, ancestors in above.items():
        types.setdefault(uid[0], set()).update(kind for kind, _ in ancestors)
    groups = {uid: frozenset(ancestors) for uid, ancestors in above.items() if ancestors and is_action(uid)}
    return Hierarchy(groups, {kind: frozenset(found) for kind, found in types.items()})


def is_action(uid: Uid) -> bool:
    """Whether its type is `Action`, in whatever namespace."""
    return uid[0].rpartition("::")[2] == "Action"


def _above(uid: Uid, parents: Mapping[Uid, tuple[Uid, ...]]) -> set[Uid]:
    seen, waiting = set[Uid](), list(parents.get(uid, ()))
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting += parents.get(at, ())
    return seen


def _uid(found: Mapping[str, Any]) -> Uid:
    return found["type"], found["id"]


def _parents(entity: Mapping[str, Any]) -> tuple[Uid, ...]:
    return tuple(_uid(parent) for parent in entity["parents"])
