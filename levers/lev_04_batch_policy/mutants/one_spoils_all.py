"""Plausible bug: a request that the engine refuses takes those beside it along.

Risk: one caller can have everybody denied.
"""

from collections.abc import Sequence

import candidate
from service import Answer
from slicing import RequestKind


class Subject(candidate.Subject):
    """The candidate whose groups fail as a whole."""

    def _decide(self, places: Sequence[candidate.Place]) -> dict[int, Answer]:
        answers = super()._decide(places)
        spoiled: set[RequestKind] = set()
        for kind, group in candidate.by_kind(places).items():
            spoiled |= {kind for at, _ in group if answers[at]["decision"] == "NoDecision"}
            answers |= {at: {**answers[at], "decision": "NoDecision"} for at, _ in group if kind in spoiled}
        return answers
