"""Modules of the levers' folders, each lever's under names of its own: several have a `candidate`, a `workload`."""

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

LEVERS = Path(__file__).resolve().parents[2] / "levers"

Sources = Mapping[Path, bytes]
_held: dict[tuple[str, Any], dict[str, ModuleType]] = {}


def load(folder: str, *names: str, admit: Callable[[Path], Sources | None] | None = None) -> SimpleNamespace:
    """The named modules of a lever, imported as its own processes import them, once in this process.

    `admit` is called with the lever's folder first, and may refuse it by raising. If it gives sources, those are what
    is run, and nothing else in the folder is: not what was imported from it before, either.
    """
    place = LEVERS / folder
    sources = admit(place) if admit is not None else None
    key = (folder, None if sources is None else tuple(sorted(sources.items())))
    held = _held.get(key, {})
    if not held.keys() >= set(names):
        held = _held[key] = _imported(place, names, held, sources)
    return SimpleNamespace(**{name: held[name] for name in names})


def _imported(
    place: Path, names: tuple[str, ...], held: dict[str, ModuleType], sources: Sources | None
) -> dict[str, ModuleType]:
    """Import from the folder before all else; afterwards its names are free again for others."""
    own = [path.stem for path in place.glob("*.py")]
    others = {name: sys.modules.pop(name) for name in own if name in sys.modules}
    sys.modules.update(held)
    finder = _Finder(place, sources)
    sys.meta_path.insert(0, finder)
    try:
        for name in names:
            importlib.import_module(name)
        return {name: sys.modules[name] for name in own if name in sys.modules}
    finally:
        sys.meta_path.remove(finder)
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(others)


class _Finder(MetaPathFinder):
    """Finds the `*.py` of one folder: no package, extension module or bytecode that somebody has put beside them."""

    def __init__(self, place: Path, sources: Sources | None) -> None:
        self._place, self._sources = place, sources

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        file = self._place / f"{name}.py"
        if path is not None:
            return None
        if self._sources is None:
            return spec_from_file_location(name, file) if file.is_file() else None
        source = self._sources.get(file)
        return None if source is None else spec_from_file_location(name, file, loader=_Loader(file, source))


class _Loader(InspectLoader):
    """Runs a module's source as it was given."""

    def __init__(self, file: Path, source: bytes) -> None:
        self._file, self._source = file, source

    def get_source(self, fullname: str) -> str:
        """See `importlib.abc.InspectLoader`."""
        return decode_source(self._source)

    def get_code(self, fullname: str) -> Any:
        """See `importlib.abc.InspectLoader`."""
        return self.source_to_code(self._source, str(self._file))

    def is_package(self, fullname: str) -> bool:
        """See `importlib.abc.InspectLoader`."""
        return False
