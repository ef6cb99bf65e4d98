"""State around the policies: what Cedar is told of the past, and what a decision leaves behind.

Cedar itself has no state. A rule turns the state of one key into a whole number, which enters the context of each
request that the rule concerns; the policies decide what the number means. Then the decision changes the state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from engine import Uid

Value = tuple[int, int]
"""A count and a time in ms, by which each rule knows whether the count still holds."""

Key = tuple[str, Uid]
"""A rule's name and whom it counts for."""

HOST: Uid = ("Host", "")
"""Whom a rule counts for that counts for everybody."""


class Request(NamedTuple):
    """One request at a time in ms. The context is what the caller says."""

    at: int
    principal: Uid
    action: Uid
    resource: Uid
    context: Mapping[str, Any]


class Kind(Protocol):
    """What a rule counts, for one key."""

    def read(self, value: Value | None, at: int) -> int:
        """The number that Cedar is told."""
        ...

    def write(self, value: Value | None, at: int, *, allowed: bool) -> Value | None:
        """What is kept after a decision."""
        ...


@dataclass(frozen=True)
class Quota:
    """Counts what was allowed in the current window of `window_ms`."""

    window_ms: int

    def read(self, value: Value | None, at: int) -> int:
        used, window = value or (0, 0)
        return used if at // self.window_ms <= window else 0

    def write(self, value: Value | None, at: int, *, allowed: bool) -> Value | None:
        window = max(at // self.window_ms, (value or (0, 0))[1])
        return (self.read(value, at) + 1, window) if allowed else value


@dataclass(frozen=True)
class Attempts:
    """Counts denials in a row; forgotten once there was none for `forget_ms`. A denial writes."""

    forget_ms: int

    def read(self, value: Value | None, at: int) -> int:
        failures, last = value or (0, at)
        return failures if at - last < self.forget_ms else 0

    def write(self, value: Value | None, at: int, *, allowed: bool) -> Value | None:
        return None if allowed else (self.read(value, at) + 1, max(at, (value or (0, at))[1]))


@dataclass(frozen=True)
class Bucket:
    """Tokens that are left; one comes back each `refill_ms`, up to `capacity`, and what is allowed takes one."""

    capacity: int
    refill_ms: int

    def read(self, value: Value | None, at: int) -> int:
        return self._refilled(value, at)[0]

    def write(self, value: Value | None, at: int, *, allowed: bool) -> Value | None:
        tokens, since = self._refilled(value, at)
        return (tokens - 1, since) if allowed else value

    def _refilled(self, value: Value | None, at: int) -> Value:
        tokens, since = value or (self.capacity, at)
        gained = max(0, at - since) // self.refill_ms
        if tokens + gained >= self.capacity:
            return self.capacity, max(at, since)
        return tokens + gained, since + gained * self.refill_ms


class Rule(NamedTuple):
    """A count under the name of the context attribute that carries it, per `principal`, `resource` or `host`."""

    name: str
    kind: Kind
    per: str

    def key(self, request: Request) -> Key:
        """The key that a request of this rule reads and writes."""
        owner = {"principal": request.principal, "resource": request.resource, "host": HOST}[self.per]
        return self.name, owner


_KINDS: dict[str, type[Quota] | type[Attempts] | type[Bucket]] = {
    "quota": Quota,
    "attempts": Attempts,
    "bucket": Bucket,
}


class Counters:
    """The state of all keys. Rules: `{name: {"kind", "actions", "per", …}}`, the rest goes to the kind."""

    def __init__(self, rules: Mapping[str, Mapping[str, Any]]) -> None:
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._values: dict[Key, Value] = {}
        for name, settings in rules.items():
            numbers = {key: value for key, value in settings.items() if key not in {"kind", "actions", "per"}}
            rule = Rule(name, _KINDS[settings["kind"]](**numbers), settings["per"])
            for action in settings["actions"]:
                self._rules[action] = (*self._rules.get(action, ()), rule)

    def keys(self, request: Request) -> Sequence[Key]:
        """The keys that decide about this request and that its decision changes."""
        return [rule.key(request) for rule in self._of(request)]

    def context(self, request: Request) -> Mapping[str, Any]:
        """The caller's context with the counts in it, which a caller cannot overrule."""
        rules = self._of(request)
        return {**request.context, **self._counts(rules, request)} if rules else request.context

    def settle(self, request: Request, outcome: str) -> dict[str, int]:
        """Let a decision leave its mark; the counts after it. What was not decided leaves none."""
        rules = self._of(request)
        for rule in rules if outcome != "NoDecision" else ():
            key = rule.key(request)
            value = rule.kind.write(self._values.pop(key, None), request.at, allowed=outcome == "Allow")
            if value is not None:
                self._values[key] = value
        return self._counts(rules, request)

    def listing(self) -> list[tuple[str, str, str, int, int]]:
        """The whole state as rule, owner's type and id, count and time, sorted."""
        return sorted((name, *owner, *value) for (name, owner), value in self._values.items())

    def _of(self, request: Request) -> tuple[Rule, ...]:
        return self._rules.get(request.action[1], ())

    def _counts(self, rules: Sequence[Rule], request: Request) -> dict[str, int]:
        return {rule.name: rule.kind.read(self._values.get(rule.key(request)), request.at) for rule in rules}
