"""Profiles of a variant: one file per profiler behind one Protocol. Profiled runs are never timed."""

from prfpipe.errors import ProfilerError
from prfpipe.profilers.frames import Targets
from prfpipe.profilers.memray import Memray
from prfpipe.profilers.protocol import Profiler, Run
from prfpipe.profilers.py_spy import PySpy

__all__ = ["PROFILERS", "Profiler", "Run", "Targets", "get"]

PROFILERS: dict[str, Profiler] = {profiler.name: profiler for profiler in (PySpy(), Memray())}


def get(name: str) -> Profiler:
    """The profiler of this name, ready to use.

    Raises:
        ProfilerError: there is none, or its tool is not installed.
    """
    if name not in PROFILERS:
        raise ProfilerError(f"no profiler {name!r}", hint=f"Known: {', '.join(PROFILERS)}.")
    PROFILERS[name].require()
    return PROFILERS[name]
