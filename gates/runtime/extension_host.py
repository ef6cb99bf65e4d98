"""The extension host: extensions come, get events and go, by pluggy.

An extension is one Python file `STATE/extensions/NAME.py` that marks its functions with
`pluggy.HookimplMarker("gates")`. Each call here is released by itself, unless it is made within `Guard.turn`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from types import ModuleType
from typing import Any

import pluggy

from gates.runtime.errors import TamperedError
from gates.runtime.policy import Uid
from gates.runtime.trust import Guard

PROJECT = "gates"
HOST: Uid = ("Host", "extensions")
hookspec = pluggy.HookspecMarker(PROJECT)
_KIND = itemgetter("kind")

Event = Mapping[str, Any]


class Hooks:
    """What an extension can implement."""

    @hookspec
    def handle(self, event: Event) -> Any:
        """Answer an event: any JSON value."""


class ExtensionHost:
    """Registered extensions by name; answers come from the last one added to the first."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._folder = guard.state / "extensions"
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        self._callers: dict[tuple[int, str], Callable[..., list[Any]]] = {}

    @property
    def names(self) -> list[str]:
        """The extensions that are registered, in the order in which they came."""
        return [name for name, plugin in self._manager.list_name_plugin() if plugin is not None]

    def add(self, name: str) -> None:
        """Load and register an extension.

        Raises:
            TamperedError: there is none of that name, or it is not the one that was signed.
            DeniedError: the policy does not let it register.
            ValueError: it is registered already.
        """
        with self._guard.turn():
            source = self._source(name)
            self._guard.require(("Extension", name), "register", HOST)
            module = ModuleType(f"extension {name}")
            exec(compile(source, f"{name}.py", "exec"), module.__dict__)  # noqa: S102 (this is what a host is for)
            self._manager.register(module, name)
            self._callers.clear()
            if self._guard.audit is not None:
                digest = hashlib.sha256(source).hexdigest()
                self._guard.record({"event": "added", "extension": name, "sha256": digest})

    def remove(self, name: str) -> None:
        """Unregister an extension. Raises `ValueError`: it is not registered."""
        with self._guard.turn():
            plugin = self._manager.get_plugin(name)
            if plugin is None:
                raise ValueError(f"no extension {name!r} is registered")
            self._manager.unregister(plugin)
            self._callers.clear()
            self._guard.record({"event": "removed", "extension": name})

    def dispatch(self, event: Event) -> list[Any]:
        """The answers of all extensions that may receive events of this `kind`."""
        return self.dispatch_all([event])[0]

    def dispatch_all(self, events: Sequence[Event]) -> list[list[Any]]:
        """Events that were waiting, in order, released together: the record counts them by kind.

        Who was there to receive them is on record as well, since extensions come and go by records of their own.
        """
        with self._guard.turn():
            kinds = Counter(map(_KIND, events))
            callers = {kind: self._caller(kind) for kind in kinds}
            answers = [callers[event["kind"]](event=event) for event in events]
            if self._guard.audit is not None:
                self._guard.record({"event": "dispatched", "kinds": kinds, "answers": sum(map(len, answers))})
            return answers

    def _caller(self, kind: str) -> Callable[..., list[Any]]:
        policy = self._guard.policy
        if policy is None:
            return self._manager.hook.handle
        key = (policy.epoch, kind)
        found = self._callers.get(key)
        if found is None:
            found = self._callers[key] = self._allowed_caller(kind)
        return found

    def _allowed_caller(self, kind: str) -> Callable[..., list[Any]]:
        policy = self._guard.policy
        denied = [
            plugin
            for name, plugin in self._manager.list_name_plugin()
            if policy is not None and not policy.allows(("Extension", name), "receive", ("Event", kind))
        ]
        if not denied:
            return self._manager.hook.handle
        return self._manager.subset_hook_caller("handle", remove_plugins=denied)

    def _source(self, name: str) -> bytes:
        path = self._folder / f"{name}.py"
        if not name.isidentifier() or not path.is_file():
            raise TamperedError(f"there is no extension {name!r}")
        source = path.read_bytes()
        self._guard.admit(f"extensions/{name}.py", source)
        return source
