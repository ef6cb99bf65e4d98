"""Plausible bug: every timer of a slot that has come up counts as due, although a slot is wider than a microsecond."""

import candidate
import wheel


class Wheel(wheel.Wheel):
    """Sees the time only in whole slots."""

    def is_due(self, now: int) -> bool:
        return super().is_due(self._end_of_slot(now))

    def take(self, now: int, end: int, ran: list[int]) -> None:
        super().take(self._end_of_slot(now), end, ran)

    def _end_of_slot(self, now: int) -> int:
        return now | ((1 << self._tick_bits) - 1)


class Subject(candidate.Subject):
    """The candidate with that wheel."""

    def _new_wheel(self) -> wheel.Wheel:
        return Wheel(candidate.tuning_of(candidate.TUNED))
