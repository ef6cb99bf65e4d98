"""The world that is decided about: an extension host with its entities and rules, made from a seed, or given.

Extensions and users act on files, network hosts and secrets. The numbers are those of one busy host.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import rulebook
from engine import Uid, as_json

SEED = 4
SCHEMA = (Path(__file__).parent / "host.cedarschema").read_text(encoding="utf-8")

RULES: dict[str, dict[str, Any]] = {
    "secretReads": {"kind": "quota", "window_ms": 3_600_000, "actions": ["readSecret"], "per": "principal"},
    "failures": {
        "kind": "attempts",
        "forget_ms": 60_000,
        "actions": ["unlockVault", "readSecret"],
        "per": "principal",
    },
    "tokens": {"kind": "bucket", "capacity": 20, "refill_ms": 250, "actions": ["connect"], "per": "principal"},
}

ENTITIES = {
    "User": 40, "Extension": 60, "Role": 8, "Tier": 5, "Publisher": 10, "Folder": 40, "File": 200, "Zone": 6,
    "NetworkHost": 40, "Vault": 6, "Secret": 30,
}  # fmt: skip


class World(TypedDict, total=False):
    """A configuration: policies and templates as Cedar text by id, grants, entities as Cedar JSON, rules by name."""

    policies: Mapping[str, str]
    templates: Mapping[str, str]
    grants: Sequence[Mapping[str, Any]]
    entities: Sequence[Mapping[str, Any]]
    rules: Mapping[str, Mapping[str, Any]]


def of(params: Mapping[str, Any]) -> World:
    """The world of a scenario: `world` as it is given, or generated with as many `policies` as asked for."""
    if "world" in params:
        given: World = params["world"]
        return given
    rng = random.Random(SEED)
    entities = _entities(rng)
    policies, grants = rulebook.policies(rng, params["policies"])
    return World(policies=policies, templates=rulebook.TEMPLATES, grants=grants, entities=entities, rules=RULES)


def principal(rng: random.Random, uid: Uid) -> dict[str, Any]:
    """A user or an extension with attributes of its own; the parents depend on nothing but the uid."""
    number = int(uid[1])
    if uid[0] == "User":
        attributes: dict[str, Any] = {"clearance": rng.randrange(5), "suspended": rng.random() < 0.03}
        return _entity(uid, attributes, [("Role", str(number % ENTITIES["Role"]))])
    attributes = {
        "publisher": {"__entity": as_json(("Publisher", str(number % ENTITIES["Publisher"])))},
        "signed": rng.random() < 0.8,
        "suspended": rng.random() < 0.03,
        "trust": rng.randrange(5),
    }
    return _entity(uid, attributes, [("Tier", str(number % ENTITIES["Tier"]))])


def _entities(rng: random.Random) -> list[dict[str, Any]]:
    groups = [_entity(("Action", name), {}, _groups(parent)) for name, parent in rulebook.GROUPS.items()]
    actions = [_entity(("Action", action.name), {}, [("Action", action.group)]) for action in rulebook.ACTIONS]
    principals = [principal(rng, (kind, str(at))) for kind in ("User", "Extension") for at in range(ENTITIES[kind])]
    return [*groups, *actions, *principals, *_containers(), *_resources(rng)]


def _containers() -> list[dict[str, Any]]:
    """Roles, tiers and folders form trees (each inherits from the one above), zones and vaults do not."""
    fans = (("Role", 2), ("Tier", 1), ("Folder", 3))
    trees = [(kind, at, [(kind, str((at - 1) // fan))]) for kind, fan in fans for at in range(ENTITIES[kind])]
    flat = [(kind, str(at)) for kind in ("Zone", "Vault", "Publisher") for at in range(ENTITIES[kind])]
    inner = [_entity((kind, str(at)), {}, above if at else []) for kind, at, above in trees]
    return [*inner, *(_entity(uid, {}, []) for uid in flat)]


def _resources(rng: random.Random) -> list[dict[str, Any]]:
    found = []
    for at in range(ENTITIES["File"]):
        owner = {"__entity": as_json(("User", str(rng.randrange(ENTITIES["User"]))))}
        attributes = {"owner": owner, "classification": rng.randrange(5)}
        found.append(_entity(("File", str(at)), attributes, [("Folder", str(rng.randrange(ENTITIES["Folder"])))]))
    for at in range(ENTITIES["NetworkHost"]):
        attributes = {"tls": rng.random() < 0.8, "port": rng.choice([80, 443, 8443])}
        found.append(_entity(("NetworkHost", str(at)), attributes, [("Zone", str(at % ENTITIES["Zone"]))]))
    for at in range(ENTITIES["Secret"]):
        attributes = {"classification": rng.randrange(5)}
        found.append(_entity(("Secret", str(at)), attributes, [("Vault", str(at % ENTITIES["Vault"]))]))
    return found


def _groups(parent: str) -> list[Uid]:
    return [("Action", parent)] if parent else []


def _entity(uid: Uid, attributes: Mapping[str, Any], parents: Sequence[Uid]) -> dict[str, Any]:
    return {"uid": as_json(uid), "attrs": dict(attributes), "parents": [as_json(parent) for parent in parents]}
