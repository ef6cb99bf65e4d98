"""Plausible bug: the cancel lane takes one slot more in a row than it may, so others wait one step too long."""

import candidate
from lanes import STREAK_LIMIT


class Subject(candidate.Subject):
    """The candidate with that limit."""

    streak_limit = STREAK_LIMIT + 1
