"""Tuning that does not generalize: slots as long as ci_dev's ticks, about a millisecond (overfitted.json).

Every answer is right, so no proof can catch it, and lever.yaml does not list it under `mutants`. On the primary
scenario it is a third faster than the baseline. It is caught by `must_hold`: the idle gaps of dev_local pass over
thousands of such slots, and there it is a quarter slower.
"""

from pathlib import Path

import candidate
import wheel


class Subject(candidate.Subject):
    """The candidate with that tuning."""

    def _new_wheel(self) -> wheel.Wheel:
        return wheel.Wheel(candidate.tuning_of(Path(candidate.__file__).with_name("overfitted.json")))
