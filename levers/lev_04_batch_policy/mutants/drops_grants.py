"""Plausible bug: slices are made of static policies; links of templates are forgotten.

Risk: whoever was granted something is denied, and a ban does not hold.
"""

from collections.abc import Iterable

import candidate
from policies import Policy, PolicyStore
from slicing import Slices


class Static(PolicyStore):
    """Writes documents without links."""

    def __init__(self, store: PolicyStore) -> None:
        self._store = store
        self._template_texts = store._template_texts
        self.all = store.all

    def document(self, policies: Iterable[Policy]) -> str:
        return self._store.document(policy for policy in policies if not policy.template)


class Unlinked(Slices):
    """Ignores grants that come and go."""

    def grant(self, policy: Policy) -> None:
        pass

    revoke = grant


class Subject(candidate.Subject):
    """The candidate with those slices."""

    def everything_changed(self) -> None:
        super().everything_changed()
        self._slices = Unlinked(Static(self.policies), self.entities.hierarchy())
