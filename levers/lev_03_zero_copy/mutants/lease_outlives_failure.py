"""Plausible bug: a lease ends after the host function, but not if that raises."""

import candidate
from host import Answer, Call, Function


class Subject(candidate.Subject):
    """The candidate without `finally`."""

    def _lend(self, function: Function, call: Call, start: int, stop: int) -> Answer:
        payload = self._readable[start:stop]
        answer = function(call, payload)
        payload.release()
        return answer
