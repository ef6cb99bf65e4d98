"""Plausible bug: a ready lane that fits into the tick is drained whole, tasks that were cancelled in it included."""

import candidate
from lanes import READY_LANE


class Subject(candidate.Subject):
    """The candidate that forgets to ask whether all in the queue are alive."""

    def _take_ready(self, end: int, ran: list[int]) -> None:
        if len(self._queue) > end - len(ran):
            super()._take_ready(end, ran)
            return
        self._served(READY_LANE, 0)
        ran += self._queue
        self._queue.clear()
        self._ready.clear()
