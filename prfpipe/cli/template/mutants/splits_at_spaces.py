"""Plausible bug: the text is split at spaces only, so that tabs and line ends become parts of words."""

from collections import Counter
from pathlib import Path


class Subject:
    """The candidate with that bug."""

    def __init__(self, params: dict[str, object], workdir: Path) -> None:
        """As the candidate."""

    def operate(self, operation: str) -> dict[str, int]:
        """As the candidate, but for the split."""
        return dict(Counter(filter(None, operation.split(" "))))
