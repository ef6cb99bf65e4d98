"""What an extension host asks of its policy service: requests with the skew of real ones, and changes among them."""

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

import rulebook
import world
from engine import Uid, as_json

HOUR_MS = 3_600_000
STATEFUL = ("connect", "readSecret", "unlockVault")
"""Actions that a rule of the world counts."""

NETWORKS = {"office": 50, "vpn": 30, "home": 15, "guest": 5}


class Host:
    """One host's traffic; grants given and taken back are remembered, so that each change is a sensible one."""

    def __init__(self, params: Mapping[str, Any], seed: int) -> None:
        self._params = params
        self._rng = random.Random(seed)
        self._now = self._rng.randrange(24 * HOUR_MS)
        self._names = itertools.count(self._rng.getrandbits(40))
        config = world.of(params)
        self._grants = [grant["id"] for grant in config["grants"]]
        self._policies = [name for name in config["policies"] if name not in rulebook.CORE]
        self._ranks = {kind: _shuffled(size) for kind, size in world.ENTITIES.items()}

    def batch(self, index: int) -> dict[str, Any]:
        """Requests, with the changes of this batch at random places among them."""
        items = [self._request() for _ in range(self._params["batch"])]
        for change in self._changes(index):
            items.insert(self._rng.randrange(len(items) + 1), change)
        return {"items": items}

    def _request(self) -> dict[str, Any]:
        rng = self._rng
        self._now += rng.randrange(1, 20)
        action = self._action()
        principal = self._principal(action.name)
        request: dict[str, Any] = {
            "at": self._now,
            "principal": as_json(principal),
            "action": as_json(("Action", action.name)),
            "resource": as_json((action.resource, self._some(action.resource))),
            "context": self._context(action.name),
        }
        if rng.random() < 0.01:
            del request["context"][rng.choice(list(request["context"]))]
        if rng.random() < 0.002:
            del request["principal"]["id"]
        return request

    def _action(self) -> rulebook.Action:
        if self._params.get("one_key"):
            return next(action for action in rulebook.ACTIONS if action.name == "connect")
        stateful = self._rng.random() * 100 < self._params["stateful_percent"]
        chosen = [action for action in rulebook.ACTIONS if (action.name in STATEFUL) == stateful]
        return self._rng.choices(chosen, [action.weight for action in chosen])[0]

    def _principal(self, action: str) -> Uid:
        if self._params.get("one_key"):
            return "Extension", "1"
        kind = "User" if self._rng.random() < (0.8 if action == "unlockVault" else 0.25) else "Extension"
        # One in a hundred is so new that the service has not heard of it.
        return kind, self._some(kind) if self._rng.random() < 0.99 else f"new-{self._now}"

    def _some(self, kind: str) -> str:
        ranks, weights = self._ranks[kind]
        return self._rng.choices(ranks, cum_weights=weights)[0]

    def _context(self, action: str) -> dict[str, Any]:
        rng = self._rng
        context: dict[str, Any] = {
            "hour": self._now // HOUR_MS % 24,
            "mfa": rng.random() < 0.6,
            "network": rng.choices(list(NETWORKS), list(NETWORKS.values()))[0],
            "sandboxed": rng.random() < 0.85,
        }
        return context | ({"pinMatches": rng.random() < 0.7} if action == "unlockVault" else {})

    def _changes(self, index: int) -> Iterator[dict[str, Any]]:
        """Every `change_every` batches a grant comes or goes, every `update_every` a policy and an entity change."""
        every, updates = self._params["change_every"], self._params["update_every"]
        if index % every == 0:
            yield self._revocation() if index // every % 2 and self._grants else self._grant()
        if index % updates == 0:
            yield {"policies": {"put": {self._rng.choice(self._policies): rulebook.policy(self._rng)}}}
        if index % updates == updates // 2:
            kind = self._rng.choice(["User", "Extension"])
            yield {"entities": [world.principal(self._rng, (kind, self._some(kind)))]}

    def _grant(self) -> dict[str, Any]:
        grant = rulebook.grant(self._rng, f"g{next(self._names)}")
        self._grants.append(grant["id"])
        return {"grant": grant}

    def _revocation(self) -> dict[str, Any]:
        return {"revoke": self._grants.pop(self._rng.randrange(len(self._grants)))}


def batches(params: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Endless batches of one host; a stream begins anywhere between two changes.

    `params`: `policies` in force, requests in a `batch`, `stateful_percent` of which a rule counts (or `one_key`
    that all of them share), and how often something changes, in batches.
    """
    host = Host(params, seed)
    start = random.Random(seed).randrange(2 * params["update_every"])
    return (host.batch(index) for index in itertools.count(start))


def _shuffled(size: int) -> tuple[list[str], list[float]]:
    """Names by rank, and cumulative weights: the n-th most used is used 1/n times as often as the first."""
    names = [str(at) for at in range(size)]
    random.Random(size).shuffle(names)
    return names, list(itertools.accumulate(1 / (rank + 1) for rank in range(size)))
