"""Many decisions in one call: a batch is split into waves, a wave into groups, and each group is decided at once.

Within a wave no two requests share state, so the order in it does not matter; each wave sees the state that all
waves before it left. Events are barriers. Each group has its own slice of the policies.
"""

from collections.abc import Callable, Iterable, Sequence

from engine import Ask, decide_all, snapshot
from policies import Policy
from service import Answer, Event, Malformed, Service, refused
from slicing import RequestKind, Slices
from state import Key, Request

Place = tuple[int, Request]
"""A request, and where in the batch it stands."""


class Subject(Service):
    """Answers batches as if their items were answered one after the other."""

    def answers(self, items: Sequence[Request | Event | Malformed]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        waiting: list[Place] = []
        for at, item in enumerate(items):
            if isinstance(item, Request):
                waiting.append((at, item))
            elif isinstance(item, Event):
                answers |= self._decide(waiting)
                waiting = []
                answers[at] = self.change(item)
            else:
                answers[at] = refused(item)
        answers |= self._decide(waiting)
        return [answers[at] for at in range(len(items))]

    def _decide(self, places: Sequence[Place]) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        for wave in self.waves(places):
            for kind, group in by_kind(wave).items():
                asks = [self._ask(request) for _, request in group]
                decisions = decide_all(asks, self._slices.of(kind), self._snapshot)
                for (at, request), decision in zip(group, decisions, strict=True):
                    answers[at] = self.settled(request, decision)
        return answers

    def _ask(self, request: Request) -> Ask:
        return Ask(request.principal, request.action, request.resource, self.counters.context(request))

    def waves(self, places: Sequence[Place]) -> list[list[Place]]:
        """The requests in an order that keeps the history of each key; see `waves`."""
        return waves(places, self.counters.keys)

    def everything_changed(self) -> None:
        self._slices = Slices(self.policies, self.entities.hierarchy())
        self._snapshot = snapshot(self.entities.text())

    def policies_changed(self, policies: Sequence[Policy]) -> None:
        self._slices.forget(policies)

    def entities_changed(self) -> None:
        self._slices.move(self.entities.hierarchy())
        self._snapshot = snapshot(self.entities.text())

    def granted(self, policy: Policy) -> None:
        self._slices.grant(policy)

    def revoked(self, policy: Policy) -> None:
        self._slices.revoke(policy)


def waves(places: Iterable[Place], keys_of: Callable[[Request], Sequence[Key]]) -> list[list[Place]]:
    """Requests in waves: each stands one wave after the last one before it with which it shares a key.

    Where one key dominates, there is a wave for each of its requests: they are sequential.
    """
    next_wave: dict[Key, int] = {}
    found: list[list[Place]] = []
    for place in places:
        keys = keys_of(place[1])
        wave = max((next_wave.get(key, 0) for key in keys), default=0)
        next_wave |= dict.fromkeys(keys, wave + 1)
        if wave == len(found):
            found.append([])
        found[wave].append(place)
    return found


def by_kind(places: Iterable[Place]) -> dict[RequestKind, list[Place]]:
    """Requests that one slice of the policies can decide."""
    groups: dict[RequestKind, list[Place]] = {}
    for place in places:
        request = place[1]
        kind = RequestKind(request.action, request.principal[0], request.resource[0])
        groups.setdefault(kind, []).append(place)
    return groups
