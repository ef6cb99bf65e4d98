"""Plausible bug: numbers come as floats and are cut to whole ones before they are checked."""

import candidate


class Subject(candidate.Subject):
    """The candidate with numbers that are made to fit."""

    def _receive(self, offset: float, length: float) -> int | str:
        whole = [float(int(number)) if abs(number) < 2**53 else number for number in (offset, length)]
        return super()._receive(*whole)
