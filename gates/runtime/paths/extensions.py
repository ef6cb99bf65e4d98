"""Turns of the extension host: extensions that come and go, and events between them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates.runtime.extension_host import HOST
from gates.runtime.policy import Uid

if TYPE_CHECKING:
    from gates.runtime.core import Runtime


class HotPath:
    """The runtime's extension host."""

    def __init__(self, runtime: "Runtime", workdir: Path) -> None:
        self._guard, self._host = runtime.guard, runtime.extensions

    def perform(self, operation: Mapping[str, Any], by: Uid) -> dict[str, Any]:
        """`add` and `remove` name extensions, then `events` are dispatched; the answers, and who is registered."""
        self._guard.require(by, "turn", HOST)
        for name in operation.get("add", ()):
            self._host.add(name)
        for name in operation.get("remove", ()):
            self._host.remove(name)
        answers = self._host.dispatch_all(operation.get("events", ()))
        return {"answers": answers, "registered": self._host.names}

    def close(self) -> None:
        """Extensions hold nothing outside of the process."""
