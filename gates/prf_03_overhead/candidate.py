"""The runtime with security instrumentation: all instruments, or those that the scenario names."""

from collections.abc import Collection, Mapping
from typing import Any

import baseline

from gates.runtime.config import INSTRUMENTS


class Subject(baseline.Subject):
    """As the baseline, with instruments on."""

    def instruments(self, params: Mapping[str, Any]) -> Collection[str]:
        """Which instruments are on; `instruments` of the scenario, to see what each costs."""
        found: Collection[str] = params.get("instruments", INSTRUMENTS)
        return found
