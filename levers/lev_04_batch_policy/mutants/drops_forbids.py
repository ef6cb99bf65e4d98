"""Plausible bug: a policy for every action is in no action's index, and so in no slice.

Risk: the forbids that hold everywhere stop to hold.
"""

from collections.abc import Sequence

import candidate
from policies import Policy, PolicyStore
from slicing import Slices


class Named(PolicyStore):
    """Sees only the policies that name an action."""

    def __init__(self, store: PolicyStore) -> None:
        self._store = store
        self._template_texts = store._template_texts

    def all(self) -> Sequence[Policy]:
        return [policy for policy in self._store.all() if policy.scope.action["op"] != "All"]


class Subject(candidate.Subject):
    """The candidate with an index by action."""

    def everything_changed(self) -> None:
        super().everything_changed()
        self._slices = Slices(Named(self.policies), self.entities.hierarchy())
