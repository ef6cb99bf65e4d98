"""Plausible bug: a timer set into a slot that has come up is put in front, not where its deadline belongs (no EDF)."""

import candidate
import wheel


class Wheel(wheel.Wheel):
    """Appends where it has to insert."""

    def add(self, task: int, deadline: int) -> None:
        if deadline >> self._tick_bits > self._slot:
            super().add(task, deadline)
            return
        self._deadlines[task] = deadline
        self._near.append(-(deadline << wheel.TASK_BITS | task))


class Subject(candidate.Subject):
    """The candidate with that wheel."""

    def _new_wheel(self) -> wheel.Wheel:
        return Wheel(candidate.tuning_of(candidate.TUNED))
