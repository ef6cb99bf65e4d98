"""Plausible bug: the log keeps views of guest memory, since "nothing is copied"; it changes under the log's feet."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import candidate
from host import Answer, Call, Function


class Subject(candidate.Subject):
    """The candidate with a log of views instead of bytes."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        super().__init__(params, workdir)
        self._views: list[memoryview] = []

    def operate(self, operation: dict[str, Any]) -> dict[str, Any]:
        result = super().operate(operation)
        logged = b"".join(self._views)
        result["host"]["log"] = [len(logged), zlib.crc32(logged)]
        return result

    def _lend(self, function: Function, call: Call, start: int, stop: int) -> Answer:
        if function.__name__ == "log":
            self._views.append(self._readable[start:stop])
        return super()._lend(function, call, start, stop)
