"""Gives the lines of a text that begin a section."""

from collections.abc import Mapping
from typing import Any

import pluggy

hookimpl = pluggy.HookimplMarker("gates")


@hookimpl
def handle(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answers an event that has a `text`."""
    return {"sections": [line for line in event["text"].splitlines() if line.startswith("#")]}
