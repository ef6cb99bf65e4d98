"""Plausible bug: a slice outlives the policies that it was made from.

Risk: a forbid that was just published does not hold, a permit that was withdrawn goes on.
"""

from collections.abc import Sequence

import candidate
from policies import Policy


class Subject(candidate.Subject):
    """The candidate that forgets no slice."""

    def policies_changed(self, policies: Sequence[Policy]) -> None:
        pass
