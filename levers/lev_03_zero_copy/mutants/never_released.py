"""Plausible bug: host functions get a view that nobody ends; one that keeps it reads the guest's next message."""

import candidate
from host import Answer, Call, Function


class Subject(candidate.Subject):
    """The candidate without leases."""

    def _lend(self, function: Function, call: Call, start: int, stop: int) -> Answer:
        return function(call, self._readable[start:stop])
