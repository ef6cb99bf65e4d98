"""The operation as it is."""

from pathlib import Path

from operation import operate


class Subject:
    def __init__(self, params: dict[str, int], workdir: Path) -> None:
        self.extra_percent = 0

    def operate(self, operation: int) -> int:
        return operate(operation, self.extra_percent)
