"""Plausible bug: the header is read again when the reply is due, and the guest has changed it in mid-call."""

import candidate
from host import HEADER, HEADER_BYTES, call_of


class Subject(candidate.Subject):
    """The candidate with a header that is checked first and used later."""

    def _answer(self, start: int, stop: int) -> int:
        call = call_of(HEADER.unpack_from(self._readable, start))
        function = self._host.admit(call, stop - start)
        answer = self._lend(function, call, start + HEADER_BYTES, stop)
        again = call_of(HEADER.unpack_from(self._readable, start))
        return answer if isinstance(answer, int) else self._deliver(again, answer)
