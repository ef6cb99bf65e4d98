"""A guest in its engine: boots the guest's program, runs operations in it, ends it in good order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import engine
from host import MEMORY_BYTES, Host

FOLDER = Path(__file__).parent


class Runtime:
    """One guest on one bridge.

    `connect` is JavaScript: the variant's part of the guest's side (see bridge.js). `receive` is the host's side.
    `memory` is the guest's memory if the host owns it; without it the engine does.
    """

    def __init__(
        self,
        host: Host,
        connect: str,
        receive: Callable[..., Any],
        memory: bytearray | None = None,
    ) -> None:
        spidermonkey = engine.load()
        engine.keep_freed_memory()
        own = f"new Uint8Array({MEMORY_BYTES})"
        bridge, guest = ((FOLDER / name).read_text(encoding="utf-8") for name in ("bridge.js", "guest.js"))
        # One expression: a typed array that passes through Python would come back as another one.
        boot = spidermonkey.eval(
            f"(receive, memory, collect, grants) => ({guest})("
            f"({bridge})(({connect}), receive, memory ?? {own}), collect, JSON.parse(grants))"
        )
        self._host = host
        self._run, host.notified = boot(receive, memory, spidermonkey.collect, json.dumps(host.grants()))

    def run(self, operation: dict[str, Any]) -> Any:
        """What the guest got back."""
        return json.loads(self._run(json.dumps(operation)))

    def close(self) -> None:
        """The engine ends with the interpreter: nothing of ours may hold a JavaScript value then."""
        self._run = self._host.notified = None
        engine.load().collect()
