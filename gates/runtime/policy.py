"""Policy: who may do what, decided by Cedar; decisions are remembered for as long as the policy is in force.

A decision of Cedar takes as long as hundreds of dispatches. Requests here have no context and entities change only
with the policy, so the answer is a function of the epoch and the request.
"""

from typing import Any

from gates.runtime.errors import ConfigError, DeniedError, ForgedError

HELD = 65536
"""Decisions that are remembered; beyond, all are made anew."""

Uid = tuple[str, str]
"""Type and id of a Cedar entity."""


class Policy:
    """One policy set with its entities, parsed when the first decision is asked for."""

    def __init__(self, policies: str, entities: str, epoch: int) -> None:
        self._sources = (policies, entities)
        self._parsed: tuple[Any, Any] | None = None
        self._decisions: dict[tuple[Uid, str, Uid], bool] = {}
        self.epoch = epoch

    def allows(self, principal: Uid, action: str, resource: Uid) -> bool:
        """Whether the policy in force allows it; whatever Cedar cannot decide is not allowed."""
        key = (principal, action, resource)
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= HELD:
                self._decisions.clear()
            decision = self._decisions[key] = self._decide(principal, action, resource)
        return decision

    def require(self, principal: Uid, action: str, resource: Uid) -> None:
        """See `allows`.

        Raises:
            DeniedError: it is not allowed.
        """
        if not self.allows(principal, action, resource):
            raise DeniedError(f"{_text(principal)} may not {action} {_text(resource)} (policy epoch {self.epoch})")

    def replace(self, policies: str, entities: str, epoch: int) -> None:
        """Put another policy in force: all decisions of the epoch before are void.

        Raises:
            ForgedError: the epoch is not a newer one.
        """
        if epoch <= self.epoch:
            raise ForgedError(f"policy epoch {epoch} is not newer than {self.epoch}")
        self._sources, self._parsed, self.epoch = (policies, entities), None, epoch
        self._decisions.clear()

    def _decide(self, principal: Uid, action: str, resource: Uid) -> bool:
        import cedarpy

        if self._parsed is None:
            policies, entities = self._sources
            try:
                self._parsed = cedarpy.PolicySet.from_str(policies), cedarpy.Entities.from_json_str(entities)
            except ValueError as error:
                raise ConfigError(f"the policy of epoch {self.epoch} cannot be read: {error}") from error
        request = {
            "principal": _uid(principal),
            "action": _uid(("Action", action)),
            "resource": _uid(resource),
            "context": "{}",
        }
        return bool(cedarpy.is_authorized(request, *self._parsed).allowed)


def _uid(uid: Uid) -> dict[str, str]:
    return {"type": uid[0], "id": uid[1]}


def _text(uid: Uid) -> str:
    return f'{uid[0]}::"{uid[1]}"'
