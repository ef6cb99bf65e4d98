"""The operation with `extra_percent` more work; with 0 it runs the very code of the baseline."""

from pathlib import Path

from operation import operate


class Subject:
    def __init__(self, params: dict[str, int], workdir: Path) -> None:
        self.extra_percent = params["extra_percent"]

    def operate(self, operation: int) -> int:
        return operate(operation, self.extra_percent)
