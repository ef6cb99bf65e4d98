"""memray: every allocation of the subject, with its stack.

The page shows the whole process at its peak, since that is what the memory guard measures. Sites and sums
count only what operations allocated.

Objects up to 512 bytes come from arenas of Python's own allocator: they show where an arena was taken. Extension
modules that mix that allocator with the system's (tree-sitter 0.26) abort under memray; with PYTHONMALLOC=malloc
there is only one, at the price of a record for each object.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from prfpipe.digests import pretty_json
from prfpipe.errors import ProfilerError
from prfpipe.models import AllocationProfile, AllocationSite
from prfpipe.profilers.frames import Frame, Paths, Stack, below_boundary, clean_frame
from prfpipe.profilers.protocol import Run

if TYPE_CHECKING:
    from memray import AllocationRecord, FileReader

WANTED_NS = 1_000_000_000
ENOUGH_BYTES = 8 * 1024 * 1024
MAX_BYTES = 256 * 1024 * 1024
TOP = 10
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_HINT = "Is the disk full? Profile again; `python -m memray stats FILE` shows what memray makes of the file."
_PLAIN = str.maketrans("<>&\"'`", "‹›＆”’’")
"""memray's page builds HTML from names in the browser: nothing in a name may be markup."""

PythonStack = list[tuple[str, str, int]]


class Memray:
    """See `Profiler`."""

    name = "memray"
    least = 1
    # Extensions that pair PyMem_Malloc with free (py-tree-sitter 0.26 does) abort unless both are the C library's.
    environments: tuple[Mapping[str, str], ...] = ({}, {"PYTHONMALLOC": "malloc"})

    def require(self) -> None:
        """See `Profiler.require`."""
        if find_spec("memray") is None:
            raise ProfilerError("memray is not installed", hint="Install it: python -m pip install memray")

    def wrap(self, output: Path) -> tuple[str, ...]:
        """See `Profiler.wrap`."""
        return (sys.executable, "-P", "-m", "memray", "run", "--quiet", "--force", "--output", str(output))

    def told(self, timed_ns: int, output: Path) -> float:
        """See `Profiler.told`."""
        written = output.stat().st_size if output.exists() else 0
        return max(timed_ns / WANTED_NS, written / ENOUGH_BYTES)

    def valid(self, timed_ns: int) -> bool:
        """See `Profiler.valid`."""
        return True

    def refusal(self, stderr: str) -> str | None:
        """See `Profiler.refusal`."""
        return None

    def collect(self, run: Run) -> AllocationProfile:
        """See `Profiler.collect`."""
        _refuse_unusable(run.output)
        try:
            profile = _summarize(run)
            _write_page(run)
        except (OSError, ValueError, RuntimeError, IndexError) as error:
            raise ProfilerError(f"memray cannot read {run.output.name}: {error}", hint=_HINT) from error
        (run.folder / "memory.json").write_bytes(pretty_json(_statistics(profile, run)))
        return profile


def _refuse_unusable(output: Path) -> None:
    try:
        size = output.stat().st_size
        data = output.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise ProfilerError(f"{output.name}: memray left no output: {error}", hint=_HINT) from error
    if size == 0:
        raise ProfilerError(f"{output.name}: memray's output is empty", hint=_HINT)
    if size > MAX_BYTES:
        raise ProfilerError(
            f"{output.name}: {size} bytes, at most {MAX_BYTES} are read", hint="Profile for a shorter time."
        )
    if not _whole_frame(data):
        raise ProfilerError(f"{output.name}: memray's output is cut or not memray's", hint=_HINT)


def _whole_frame(data: bytes) -> bool:
    """Whether this is one LZ4 frame from its first block to its end mark (LZ4 frame format 1.6).

    memray compresses its output when it ends in good order, and its reader takes a cut frame for a whole one.
    """
    if data[:4] != _LZ4_MAGIC or len(data) < 7:
        return False
    flags = data[4]
    at = 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
    while size := int.from_bytes(data[at : at + 4], "little") & 0x7FFFFFFF:
        at += 4 + size + (4 if flags & 0x10 else 0)
    return at + 4 + (4 if flags & 0x04 else 0) == len(data)


@dataclass
class _Tally:
    bytes: int = 0
    allocations: int = 0


def _summarize(run: Run) -> AllocationProfile:
    from memray import FileReader

    with FileReader(run.output) as reader:
        tallies = _by_function(reader, Paths(run.tree))
        peak = reader.metadata.peak_memory
    order = sorted(tallies, key=lambda frame: (-tallies[frame].bytes, -tallies[frame].allocations, frame))
    return AllocationProfile(
        peak_bytes=peak,
        total_bytes=sum(tally.bytes for tally in tallies.values()),
        allocations=sum(tally.allocations for tally in tallies.values()),
        sites=tuple(_site(frame, tallies[frame]) for frame in order[:TOP]),
    )


def _site(frame: Frame, tally: _Tally) -> AllocationSite:
    return AllocationSite(function=frame.function, file=frame.file, bytes=tally.bytes, allocations=tally.allocations)


def _by_function(reader: "FileReader", paths: Paths) -> dict[Frame, _Tally]:
    """What each function allocated itself, inside operations only."""
    named = cache(lambda function, file: clean_frame(function, paths.short(file)))
    owners: dict[int, Frame | None] = {}
    tallies: dict[Frame, _Tally] = {}
    for record in _allocations(reader):
        if record.stack_id not in owners:
            below = below_boundary(_stack(record.stack_trace(), named))
            owners[record.stack_id] = below[-1] if below else None
        if owner := owners[record.stack_id]:
            tally = tallies.setdefault(owner, _Tally())
            tally.bytes += record.size
            tally.allocations += record.n_allocations
    return tallies


def _allocations(reader: "FileReader") -> Iterator["AllocationRecord"]:
    from memray import AllocatorType

    freeing = {AllocatorType.FREE, AllocatorType.MUNMAP, AllocatorType.PYMALLOC_FREE}
    return (record for record in reader.get_allocation_records() if record.allocator not in freeing)


def _stack(trace: PythonStack, named: Callable[[str, str], Frame]) -> Stack:
    """A trace of memray has the innermost function first."""
    return tuple(named(function, file) for function, file, _ in reversed(trace))


@dataclass(frozen=True)
class _Record:
    """An allocation record for memray's reporter, with names and paths that may be shown to anyone."""

    tid: int
    thread_name: str
    size: int
    n_allocations: int
    trace: PythonStack

    def stack_trace(self) -> PythonStack:
        """Innermost function first, as memray has it."""
        return self.trace


def _write_page(run: Run) -> None:
    from memray import FileReader
    from memray.reporters.flamegraph import FlameGraphReporter

    paths = Paths(run.tree)
    named = cache(lambda function, file: _plain(function, paths.short(file)))
    with FileReader(run.output) as reader:
        records = [_shown(record, named) for record in reader.get_high_watermark_allocation_records()]
        memory, metadata = list(reader.get_memory_snapshots()), reader.metadata
    reporter = FlameGraphReporter.from_snapshot(
        cast("list[AllocationRecord]", records), memory_records=memory, native_traces=False
    )
    shown = replace(metadata, command_line=f"{run.title}: the whole process at its peak".translate(_PLAIN))
    with (run.folder / "memory.html").open("w", encoding="utf-8") as page:
        reporter.render(page, shown, show_memory_leaks=False, merge_threads=True, inverted=False, no_web=True)


def _shown(record: "AllocationRecord", named: Callable[[str, str], tuple[str, str]]) -> _Record:
    trace = [(*named(function, file), line) for function, file, line in record.stack_trace()]
    return _Record(record.tid, "", record.size, record.n_allocations, trace)


def _plain(function: str, file: str) -> tuple[str, str]:
    """The folder in front keeps memray from reading the source of a like-named file in the working folder."""
    frame = clean_frame(function, file if file.startswith("<") else f"<lever>/{file}")
    return frame.function.translate(_PLAIN), frame.file.translate(_PLAIN)


def _statistics(profile: AllocationProfile, run: Run) -> dict[str, object]:
    return {
        "format": "prfpipe/memory/v1",
        "profile": run.title,
        "operations": run.operations,
        "peak_bytes": profile.peak_bytes,
        "operations_bytes": profile.total_bytes,
        "operations_allocations": profile.allocations,
        "bytes_per_operation": round(profile.total_bytes / run.operations, 1),
        "allocations_per_operation": round(profile.allocations / run.operations, 3),
        "sites": [site.model_dump() for site in profile.sites],
    }
