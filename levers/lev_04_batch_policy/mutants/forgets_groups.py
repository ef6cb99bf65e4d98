"""Plausible bug: a slice holds the policies that name its action, but not those that name a group of actions.

Risk: a permit is lost, or worse, a forbid.
"""

import candidate
from entities import Hierarchy
from slicing import Slices


class Subject(candidate.Subject):
    """The candidate with slices that know of no groups."""

    def everything_changed(self) -> None:
        super().everything_changed()
        self._slices = Slices(self.policies, Hierarchy({}, self.entities.hierarchy().types))
