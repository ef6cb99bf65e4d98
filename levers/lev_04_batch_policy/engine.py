"""Cedar behind a small interface: parsed handles in, decisions that can be compared out.

The only file that knows cedarpy. Handles are immutable: linking and unlinking return new ones.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cedarpy

Handle = cedarpy.PolicySet
Snapshot = cedarpy.Entities
Uid = tuple[str, str]
"""Type and id of a Cedar entity."""


class Decision(NamedTuple):
    """`Allow`, `Deny`, or `NoDecision` where the request could not be built; reasons and errors are sorted.

    Cedar gives both as sets, in an order that changes from call to call.
    """

    outcome: str
    reasons: tuple[str, ...]
    errors: tuple[str, ...]


class Ask(NamedTuple):
    """One question to Cedar; the context is a JSON object in Cedar's form."""

    principal: Uid
    action: Uid
    resource: Uid
    context: Mapping[str, Any]


def policy_set(document: str) -> Handle:
    """Parse a policy set from Cedar's JSON form; ids stay as they are.

    Raises:
        ValueError: Cedar does not take it.
    """
    return cedarpy.PolicySet.from_json_str(document)


def policy_document(text: str) -> dict[str, Any]:
    """Cedar text as a document of the JSON form: `templates`, `staticPolicies` and `templateLinks`.

    Raises:
        ValueError: Cedar does not take it.
    """
    document: dict[str, Any] = json.loads(cedarpy.policies_to_json_str(text))
    return document


def linked(handle: Handle, template: str, link: str, values: Mapping[str, Uid]) -> Handle:
    """`handle` and one link of a template that is in it; `values` by slot (`?principal`, `?resource`).

    Raises:
        ValueError: no such template, the id is taken, or the slots are not exactly filled.
    """
    return handle.with_linked(template, link, {slot: as_json(uid) for slot, uid in values.items()})


def unlinked(handle: Handle, link: str) -> Handle:
    """`handle` without the link.

    Raises:
        ValueError: no such link.
    """
    return handle.without_linked(link)


def snapshot(text: str) -> Snapshot:
    """Parse entities (a JSON list), and close their hierarchy.

    Raises:
        ValueError: Cedar does not take them, or the hierarchy has a cycle.
    """
    return cedarpy.Entities.from_json_str(text)


def normal_entities(entities: Sequence[object]) -> list[dict[str, Any]]:
    """Entities as Cedar understands them: `uid` as type and id, references as `__entity`.

    Raises:
        ValueError: Cedar does not take them.
    """
    found: list[dict[str, Any]] = json.loads(str(snapshot(json.dumps(entities))))
    return found


def decide(ask: Ask, policies: Handle, entities: Snapshot | str) -> Decision:
    """Answer one question; `entities` is a snapshot or the text of a JSON list."""
    return decide_all([ask], policies, entities)[0]


def decide_all(asks: Sequence[Ask], policies: Handle, entities: Snapshot | str) -> list[Decision]:
    """Answer all in one call, in order; one that Cedar cannot take never spoils those beside it."""
    requests = [
        {
            "principal": as_json(ask.principal),
            "action": as_json(ask.action),
            "resource": as_json(ask.resource),
            "context": json.dumps(ask.context),
        }
        for ask in asks
    ]
    try:
        return [_decision(found) for found in cedarpy.is_authorized_batch(requests, policies, entities)]
    except UnicodeEncodeError as error:  # a lone surrogate in an id ends the whole call
        if len(asks) == 1:
            return [Decision("NoDecision", (), (f"failed to build request: {error}",))]
        return [decide(ask, policies, entities) for ask in asks]


def as_json(uid: Uid) -> dict[str, str]:
    """A uid in Cedar's JSON form; the text form would be parsed anew for each request."""
    return {"type": uid[0], "id": uid[1]}


def mentioned(value: object) -> Iterator[Uid]:
    """Entities that a JSON value refers to (`{"__entity": {"type": …, "id": …}}`), at any depth."""
    if isinstance(value, dict):
        entity = value.get("__entity")
        if isinstance(entity, dict) and isinstance(entity.get("type"), str) and isinstance(entity.get("id"), str):
            yield entity["type"], entity["id"]
        else:
            yield from _mentioned_in(value.values())
    elif isinstance(value, list):
        yield from _mentioned_in(value)


def _mentioned_in(values: Iterable[object]) -> Iterator[Uid]:
    for value in values:
        yield from mentioned(value)


def _decision(found: cedarpy.AuthzResult) -> Decision:
    diagnostics = found.diagnostics
    return Decision(found.decision.value, tuple(sorted(diagnostics.reasons)), tuple(sorted(diagnostics.errors)))
