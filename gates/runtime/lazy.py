"""Modules that others import in vain: they are loaded when somebody first uses them.

`importlib.util.LazyLoader` does not do here: `import a` of one that is lazy looks at its `__spec__`, which loads it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def later(name: str) -> None:
    """Whoever imports `name` from now on gets a stand-in, which becomes the module with its first attribute."""
    if name in sys.modules:
        return
    stand_in = ModuleType(name)

    def loaded(attribute: str) -> Any:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        stand_in.__dict__.update(import_module(name).__dict__)
        return getattr(import_module(name), attribute)

    stand_in.__getattr__ = loaded  # type: ignore[method-assign]
    sys.modules[name] = stand_in
