"""The policies of a service by id: static ones, templates, and grants, which are links of templates."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine import Uid, as_json, mentioned, policy_document, policy_set

Constraint = Mapping[str, Any]
"""A scope's constraint in Cedar's JSON form, slots filled: `op` and, by `op`, `entity`, `entities`, `in`."""


class Scope(NamedTuple):
    """What a policy says of principal, action and resource before its conditions."""

    principal: Constraint
    action: Constraint
    resource: Constraint


@dataclass(frozen=True)
class Policy:
    """One policy that is in force; `template` and `values` are those of a grant."""

    id: str
    scope: Scope
    text: str
    mentions: frozenset[Uid]
    template: str = ""
    values: Mapping[str, Uid] | None = None


class PolicyStore:
    """All policies of a service. What is refused changes nothing."""

    def __init__(self) -> None:
        self._templates: dict[str, dict[str, Any]] = {}
        self._policies: dict[str, Policy] = {}
        self._template_texts = ""

    def add_templates(self, texts: Mapping[str, str]) -> None:
        """Templates by id, as Cedar text.

        Raises:
            ValueError: not exactly one template, or the id is taken.
        """
        found = {name: _only(text, "templates") for name, text in texts.items()}
        for name in found:
            if name in self._policies or name in self._templates:
                raise ValueError(f"the id {name!r} is taken")
        self._templates |= found
        self._template_texts = _fields((name, json.dumps(body)) for name, body in self._templates.items())

    def put(self, texts: Mapping[str, str], drop: Iterable[str] = ()) -> list[Policy]:
        """Add or replace static policies, drop others; every policy that came or went.

        Raises:
            ValueError: not exactly one static policy, the id is a grant's or a template's, there is none to drop, or
                Cedar does not take the policy back in its JSON form, as one that nests too deeply.
        """
        dropped = [self._static(name) for name in drop]
        fresh = [_policy(name, _only(text, "staticPolicies")) for name, text in texts.items()]
        replaced = [self._static(policy.id) for policy in fresh if policy.id in self._taken()]
        self._try(fresh)
        for policy in dropped:
            self._policies.pop(policy.id, None)
        self._policies |= {policy.id: policy for policy in fresh}
        return [*dropped, *replaced, *fresh]

    def grant(self, name: str, template: str, values: Mapping[str, Uid]) -> Policy:
        """Put a link of a template in force; `values` by slot.

        Raises:
            ValueError: the id is taken, there is no such template, or its slots are not exactly filled with entities.
        """
        if name in self._taken():
            raise ValueError(f"the id {name!r} is taken")
        if template not in self._templates:
            raise ValueError(f"there is no template {template!r}")
        body = self._templates[template]
        if set(values) != _slots(body):
            raise ValueError(f"{template} has the slots {sorted(_slots(body))}, not {sorted(values)}")
        text = {"templateId": template, "newId": name, "values": {slot: _entity(uid) for slot, uid in values.items()}}
        scope = Scope(_filled(body["principal"], values), body["action"], _filled(body["resource"], values))
        policy = Policy(name, scope, json.dumps(text), _mentions(body), template, dict(values))
        self._try([policy])
        self._policies[name] = policy
        return policy

    def revoke(self, name: str) -> Policy:
        """Take a grant back.

        Raises:
            ValueError: there is no such grant.
        """
        policy = self._policies.get(name)
        if policy is None or not policy.template:
            raise ValueError(f"there is no grant {name!r}")
        return self._policies.pop(name)

    def all(self) -> Sequence[Policy]:
        """Every policy in force."""
        return list(self._policies.values())

    def mentions(self) -> frozenset[Uid]:
        """Entities that conditions name, so that they can be looked at whatever is asked."""
        return frozenset().union(*(policy.mentions for policy in self._policies.values()))

    def document(self, policies: Iterable[Policy]) -> str:
        """These policies, and all templates, in Cedar's JSON form."""
        chosen = list(policies)
        static = _fields((policy.id, policy.text) for policy in chosen if not policy.template)
        links = ",".join(policy.text for policy in chosen if policy.template)
        return f'{{"templates":{{{self._template_texts}}},"staticPolicies":{{{static}}},"templateLinks":[{links}]}}'

    def _try(self, policies: Sequence[Policy]) -> None:
        """What Cedar would refuse later is refused before anything is changed, whoever needs it when."""
        if policies:
            policy_set(self.document(policies))

    def _static(self, name: str) -> Policy:
        policy = self._policies.get(name)
        if policy is None or policy.template:
            raise ValueError(f"there is no static policy {name!r}")
        return policy

    def _taken(self) -> set[str]:
        return {*self._policies, *self._templates}


def _only(text: str, kind: str) -> dict[str, Any]:
    document = policy_document(text)
    if len(document["templates"]) + len(document["staticPolicies"]) != 1 or not document[kind]:
        raise ValueError(f"one of {kind} is expected, and nothing else: {text!r}")
    [body] = document[kind].values()
    return dict(body)


def _policy(name: str, body: dict[str, Any]) -> Policy:
    scope = Scope(body["principal"], body["action"], body["resource"])
    return Policy(name, scope, json.dumps(body), _mentions(body))


def _mentions(body: Mapping[str, Any]) -> frozenset[Uid]:
    return frozenset(mentioned(body["conditions"]))


def _slots(body: Mapping[str, Any]) -> set[str]:
    parts = (body["principal"], body["resource"])
    return {slot for part in parts for slot in (part.get("slot"), part.get("in", {}).get("slot")) if slot}


def _filled(constraint: Constraint, values: Mapping[str, Uid]) -> Constraint:
    """The constraint with the entity in its slot's place; the slot may stand behind `is … in`."""
    if "slot" in constraint:
        return {"op": constraint["op"], "entity": as_json(values[constraint["slot"]])}
    if "slot" in constraint.get("in", {}):
        return {**constraint, "in": {"entity": as_json(values[constraint["in"]["slot"]])}}
    return constraint


def _entity(uid: Uid) -> dict[str, dict[str, str]]:
    return {"__entity": as_json(uid)}


def _fields(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join(f"{json.dumps(name)}:{text}" for name, text in pairs)
