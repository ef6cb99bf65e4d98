"""Plausible bug: a runtime without a line in a row is left out of that row.

The risk: a runtime that is missing agrees with all others.
"""

from collections.abc import Sequence

import candidate
from harness import Judgement


class Subject(candidate.Subject):
    """The candidate that looks only at those who answer."""

    def judge(self, lines: Sequence[bytes | None]) -> Judgement | None:
        present = [line for line in lines if line is not None]
        if present.count(present[0]) == len(present):
            return None
        return super().judge(lines)
