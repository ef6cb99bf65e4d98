"""The modules of a lever folder, for tests of what stands in one."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

LEVERS = Path(__file__).parents[2] / "levers"


def load_modules(folder: Path, *names: str) -> SimpleNamespace:
    """Modules of a lever folder or of its `mutants`, imported as its child processes do; by default all of the folder.

    They are forgotten at once, since other levers use the same names.
    """
    places = [folder, folder / "mutants"]
    own = [path.stem for place in places for path in sorted(place.glob("*.py"))]
    sys.path[:0] = [str(place) for place in places]
    try:
        wanted = names or [path.stem for path in sorted(folder.glob("*.py"))]
        return SimpleNamespace(**{name: importlib.import_module(name) for name in wanted})
    finally:
        del sys.path[: len(places)]
        for name in own:
            sys.modules.pop(name, None)
