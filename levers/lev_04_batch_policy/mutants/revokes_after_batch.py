"""Plausible bug: events take effect when the batch is over.

Risk: what was revoked in mid-batch is still allowed in the rest of the batch.
"""

from collections.abc import Sequence

import candidate
from service import Answer, Event, Malformed
from state import Request


class Subject(candidate.Subject):
    """The candidate that moves revocations to the end."""

    def answers(self, items: Sequence[Request | Event | Malformed]) -> list[Answer]:
        order = sorted(range(len(items)), key=lambda at: getattr(items[at], "name", "") == "revoke")
        answers = super().answers([items[at] for at in order])
        return [answers[order.index(at)] for at in range(len(items))]
