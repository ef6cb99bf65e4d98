"""Plausible bug: the snapshot of the entities is made anew only where the hierarchy has changed.

Risk: a user who was suspended goes on.
"""

import candidate


class Subject(candidate.Subject):
    """The candidate that looks at the hierarchy only."""

    def entities_changed(self) -> None:
        before, held = self._slices._hierarchy, self._snapshot
        super().entities_changed()
        if self._slices._hierarchy == before:
            self._snapshot = held
