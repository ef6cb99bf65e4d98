"""Warns of long texts."""

from collections.abc import Mapping
from typing import Any

import pluggy

hookimpl = pluggy.HookimplMarker("gates")
LIMIT = 200


@hookimpl
def handle(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answers an event that has a `text`."""
    return {"long": len(event["text"]) > LIMIT}
