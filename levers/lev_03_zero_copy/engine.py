"""SpiderMonkey inside this process, by the extension module of pythonmonkey.

Only the extension is loaded. The package around it starts an event loop and a module system, which takes most of
a second and needs `pminit`, whose installation downloads JavaScript packages; a bridge uses none of that.
"""

import ctypes
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

PACKAGE = "pythonmonkey"
EXTENSION = "pythonmonkey.pythonmonkey"
INSTALL = "python -m pip install --no-deps pythonmonkey==1.4.1"


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_KEPT_BYTES = 1 << 30, 32 << 20


class EngineMissingError(RuntimeError):
    """The JavaScript engine is not installed."""

    def __init__(self) -> None:
        super().__init__(f"the JavaScript engine of LEV-03 is not installed: {INSTALL}")


def load() -> Any:
    """The engine's module: `eval(text)` gives the value of a JavaScript expression, `collect()` collects garbage.

    Raises:
        EngineMissingError: pythonmonkey is not installed.
    """
    if EXTENSION in sys.modules:
        return sys.modules[EXTENSION]
    found = importlib.util.find_spec(PACKAGE)  # finds the package without running it
    folder = Path(found.origin).parent if found and found.origin else None
    if folder is None or not (folder / "pythonmonkey.so").is_file():
        raise EngineMissingError
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    return _extension(folder / "pythonmonkey.so")


def _extension(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(EXTENSION, path)
    if spec is None or spec.loader is None:
        raise EngineMissingError
    module = importlib.util.module_from_spec(spec)
    sys.modules[EXTENSION] = module
    spec.loader.exec_module(module)
    return module


def keep_freed_memory() -> None:
    """Have glibc keep what the engine frees, as the allocator of a browser does.

    Left alone, it may give the freed copies of messages back to the kernel at each collection, and the next copies
    fetch them again, fault by fault; whether it does hangs on what else lies in the heap. Other C libraries have no
    such settings; there nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
