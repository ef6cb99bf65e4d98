"""The runtime: starts lazily, performs operations on its hot paths, releases results when they are on record."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gates.runtime.config import Config, Instruments, load_config
from gates.runtime.errors import AuditError, ConfigError
from gates.runtime.trust import Guard

if TYPE_CHECKING:
    from gates.runtime.extension_host import ExtensionHost

PATHS = ("compat", "lockstep", "hostcalls", "policies", "scheduler", "extensions")
"""The hot paths; each is a module of `gates.runtime.paths` with a class `HotPath`."""

Turn = tuple[str, Sequence[Any]]
"""On whose behalf (an extension), and operations that are released together."""


class Runtime:
    """One runtime on one state folder.

    A hot path is imported and made when the first operation asks for it.
    """

    def __init__(self, config: Config, state: Path, workdir: Path) -> None:
        self._workdir = workdir
        self.guard = Guard(state, config)
        self._paths: dict[str, Any] = {}
        self._extensions: ExtensionHost | None = None

    @classmethod
    def start(
        cls,
        config: Path,
        state: Path,
        *,
        instruments: Instruments | Iterable[str] | None = None,
        workdir: Path | None = None,
        mark: Callable[[str], None] = lambda phase: None,
    ) -> Self:
        """Load the configuration and hydrate the trust state; `mark` hears of each phase when it has ended.

        `instruments`: in place of the configured ones. `workdir`: where hot paths have their files, by default `state`.

        Raises:
            ConfigError: the configuration or a part of the state cannot be read.
            ForgedError, TamperedError, AuditError: the trust state is not to be trusted.
        """
        found = load_config(config)
        if instruments is not None:
            on = instruments if isinstance(instruments, Instruments) else Instruments.of(list(instruments))
            found = found._replace(instruments=on)
        mark("config")
        runtime = cls(found, state, workdir or state)
        mark("trust")
        return runtime

    @property
    def extensions(self) -> "ExtensionHost":
        """The extension host; made when it is first asked for."""
        if self._extensions is None:
            from gates.runtime.extension_host import ExtensionHost

            self._extensions = ExtensionHost(self.guard)
        return self._extensions

    def perform(self, path: str, operation: Any, by: str = "host") -> Any:
        """One operation of a hot path on behalf of the extension `by`, released when it is on record.

        Raises:
            DeniedError, TamperedError, ForgedError: it is refused, and the refusal is on record.
            AuditError: it cannot be put on record.
        """
        return self.perform_all(path, [operation], by)[0]

    def perform_all(self, path: str, operations: Sequence[Any], by: str = "host") -> list[Any]:
        """One turn: operations that were waiting are done one after the other and released together. See `perform`."""
        return self._turn(path, operations, by, wait=True)

    def perform_each(self, path: str, turns: Iterable[Turn]) -> Iterator[list[Any]]:
        """Turns of several clients: each is computed while the record of the one before goes to the disk.

        A turn's results come when its record is on disk. `turns` is asked for one turn more than was released, so a
        client that waits for its results before it asks again can share the runtime with one other. Raises as
        `perform` does, after the results of all turns before.
        """
        ready: list[list[Any]] = []
        fault: Exception | None = None
        for by, operations in turns:
            try:
                found = self._turn(path, operations, by, wait=False)
            except AuditError:
                raise
            except Exception as error:  # noqa: BLE001 (raised below, when what was done before it is released)
                fault = error
                break
            yield from ready
            ready = [found]
        self.guard.settle()
        yield from ready
        if fault is not None:
            raise fault

    def renew(self) -> None:
        """Take up a newer policy and manifest that were put into the state folder. See `Guard.renew`."""
        self.guard.renew()

    def close(self) -> None:
        """End in good order; everything on record is on disk, also where a hot path does not end well."""
        try:
            for path in self._paths.values():
                path.close()
        finally:
            self._paths.clear()
            self.guard.close()

    def _turn(self, path: str, operations: Sequence[Any], by: str, *, wait: bool) -> list[Any]:
        with self.guard.turn(wait=wait):
            perform = self._path(path).perform
            return [perform(operation, ("Extension", by)) for operation in operations]

    def _path(self, name: str) -> Any:
        if name not in self._paths:
            if name not in PATHS:
                raise ConfigError(f"no such hot path: {name}")
            module = import_module(f"gates.runtime.paths.{name}")
            self._paths[name] = module.HotPath(self, self._workdir)
            gc.freeze()  # what was loaded stays: a collection that looked for garbage in it would make some turn wait
        return self._paths[name]
