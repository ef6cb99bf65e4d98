"""Counts the words of a text."""

from collections.abc import Mapping
from typing import Any

import pluggy

hookimpl = pluggy.HookimplMarker("gates")


@hookimpl
def handle(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answers an event that has a `text`."""
    return {"words": len(event["text"].split())}
