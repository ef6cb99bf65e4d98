"""Plausible bug: answers come in the order in which groups were decided.

Risk: a caller takes somebody else's permission for its own.
"""

from collections.abc import Sequence

import candidate
from service import Answer


class Subject(candidate.Subject):
    """The candidate whose answers are numbered as they come."""

    def _decide(self, places: Sequence[candidate.Place]) -> dict[int, Answer]:
        answers = super()._decide(places)
        return dict(zip((at for at, _ in places), answers.values(), strict=True))
