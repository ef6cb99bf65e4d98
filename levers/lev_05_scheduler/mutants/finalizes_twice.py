"""Plausible bug: cancelling a task whose finalizer still waits is taken for a first cancellation."""

import candidate


class Subject(candidate.Subject):
    """The candidate that finds such a task among what waits."""

    def _withdraw(self, task: int) -> bool:
        return super()._withdraw(task) or task in self._finalizers
