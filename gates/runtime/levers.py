"""Modules of the levers' folders, each lever's under names of its own: several have a `candidate`, a `workload`."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

LEVERS = Path(__file__).resolve().parents[2] / "levers"

_held: dict[str, dict[str, ModuleType]] = {}


def load(folder: str, *names: str, admit: Callable[[Path], None] | None = None) -> SimpleNamespace:
    """The named modules of a lever, imported as its own processes import them, once in this process.

    `admit` is called with the lever's folder before the first of its code runs, and may refuse it by raising.
    """
    place = LEVERS / folder
    held = _held.get(folder, {})
    if not held.keys() >= set(names):
        if admit is not None:
            admit(place)
        held = _held[folder] = _imported(place, names, held)
    return SimpleNamespace(**{name: held[name] for name in names})


def _imported(place: Path, names: tuple[str, ...], held: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Import with the folder in front of the path; afterwards its names are free again for others."""
    own = [path.stem for path in place.glob("*.py")]
    others = {name: sys.modules.pop(name) for name in own if name in sys.modules}
    sys.modules.update(held)
    sys.path.insert(0, str(place))
    try:
        for name in names:
            importlib.import_module(name)
        return {name: sys.modules[name] for name in own if name in sys.modules}
    finally:
        sys.path.remove(str(place))
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(others)
