"""Keeps a tally of kinds of events since it was added."""

from collections.abc import Mapping
from typing import Any

import pluggy

hookimpl = pluggy.HookimplMarker("gates")
SEEN: dict[str, int] = {}


@hookimpl
def handle(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answers an event that has a `text`."""
    SEEN[event["kind"]] = SEEN.get(event["kind"], 0) + 1
    return {"seen": SEEN[event["kind"]]}
