"""Plausible bug: the wheel has no turns, so a timer of a later turn lies in a slot as if it were due in this one."""

import candidate
import wheel


class Wheel(wheel.Wheel):
    """Believes that its first turn never ends."""

    def __init__(self, tuning: wheel.Tuning) -> None:
        super().__init__(tuning)
        self._end = 1 << 100


class Subject(candidate.Subject):
    """The candidate with that wheel."""

    def _new_wheel(self) -> wheel.Wheel:
        return Wheel(candidate.tuning_of(candidate.TUNED))
