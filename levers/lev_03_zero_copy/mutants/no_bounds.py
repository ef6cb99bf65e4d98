"""Plausible bug: offset and length are believed, so an offset from the end of memory names a message."""

import candidate
from host import refusal


class Subject(candidate.Subject):
    """The candidate without a look at where a message lies."""

    def _receive(self, offset: float, length: float) -> int | str:
        try:
            return self._answer(int(offset), int(offset + length))
        except Exception as error:  # noqa: BLE001 (as in the candidate)
            return refusal(error)
