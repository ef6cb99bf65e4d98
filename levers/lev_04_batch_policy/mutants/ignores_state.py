"""Plausible bug: all requests of a batch are decided at once, each with the state from before the batch.

Risk: with a quota of fifteen, thirty are allowed.
"""

from collections.abc import Sequence

import candidate


class Subject(candidate.Subject):
    """The candidate with one wave for everything."""

    def waves(self, places: Sequence[candidate.Place]) -> list[list[candidate.Place]]:
        return [list(places)]
