"""Tuning that does not generalize: the wheel's slots are chosen by ci_dev alone (overfitted.json).

Every answer is right, so no proof can catch it, and lever.yaml does not list it under `mutants`. It beats the baseline
on the primary scenario. It is caught by `must_hold`: on enterprise, with ten times as many open timers, it loses.
"""

from pathlib import Path

import candidate
import wheel


class Subject(candidate.Subject):
    """The candidate with that tuning."""

    def _new_wheel(self) -> wheel.Wheel:
        return wheel.Wheel(candidate.tuning_of(Path(candidate.__file__).with_name("overfitted.json")))
