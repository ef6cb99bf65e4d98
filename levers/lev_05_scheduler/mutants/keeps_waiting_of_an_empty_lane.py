"""Plausible bug: the ticks that a lane has waited are kept while it is empty, so its next task starves too early."""

import candidate


class Subject(candidate.Subject):
    """The candidate that resets the count only where a lane is served."""

    def _age(self) -> None:
        before = self._waited
        super()._age()
        self._waited = [now or max(was, 0) for now, was in zip(self._waited, before, strict=True)]
