"""Plausible bug: a timer that was cancelled after its slot had come up still runs, and so does its finalizer."""

import candidate
import wheel


class Wheel(wheel.Wheel):
    """Trusts what is near."""

    def take(self, now: int, end: int, ran: list[int]) -> None:
        later = -(now + 1 << wheel.TASK_BITS)
        while self._near and self._near[-1] > later and len(ran) < end:
            task = -self._near.pop() & wheel.TASK_MASK
            self._deadlines.pop(task, None)
            ran.append(task)


class Subject(candidate.Subject):
    """The candidate with that wheel."""

    def _new_wheel(self) -> wheel.Wheel:
        return Wheel(candidate.tuning_of(candidate.TUNED))
