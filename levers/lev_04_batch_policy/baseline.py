"""One decision at a time, as a careful service makes it.

The policy set is parsed once and kept; a grant links a template of it, without parsing. Each decision gets the few
entities that it can look at, as a service does that fetches them for each request and so has no copy of all of them to
keep in step. Their text and what belongs together is remembered until an entity changes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import Ask, Snapshot, decide, linked, mentioned, policy_set, snapshot, unlinked
from policies import Policy
from service import Answer, Event, Malformed, Service, refused
from state import Request


class Subject(Service):
    """Answers items one after the other. With `holds: snapshot` it keeps all entities parsed, as the candidate does."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._holds_snapshot = params.get("holds") == "snapshot"
        super().__init__(params, workdir)

    def answers(self, items: Sequence[Request | Event | Malformed]) -> list[Answer]:
        return [self._answer(item) for item in items]

    def _answer(self, item: Request | Event | Malformed) -> Answer:
        if isinstance(item, Request):
            context = self.counters.context(item)
            ask = Ask(item.principal, item.action, item.resource, context)
            return self.settled(item, decide(ask, self._handle, self._entities(ask)))
        return self.change(item) if isinstance(item, Event) else refused(item)

    def _entities(self, ask: Ask) -> Snapshot | str:
        if self._snapshot is not None:
            return self._snapshot
        uids = {ask.principal, ask.action, ask.resource, *mentioned(ask.context), *self._mentions}
        return self.entities.slice_text(uids)

    def everything_changed(self) -> None:
        self.policies_changed(())
        self.entities_changed()

    def policies_changed(self, policies: Sequence[Policy]) -> None:
        self._handle = policy_set(self.policies.document(self.policies.all()))
        self._mentions = self.policies.mentions()

    def entities_changed(self) -> None:
        self._snapshot = snapshot(self.entities.text()) if self._holds_snapshot else None

    def granted(self, policy: Policy) -> None:
        self._handle = linked(self._handle, policy.template, policy.id, policy.values or {})
        self._mentions |= policy.mentions

    def revoked(self, policy: Policy) -> None:
        self._handle = unlinked(self._handle, policy.id)
