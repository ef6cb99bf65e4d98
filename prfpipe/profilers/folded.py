"""Folded stacks as bytes: `function (file);function (file) COUNT`, a line a stack, outermost function first.

The format is Brendan Gregg's (FlameGraph, stackcollapse); py-spy writes it with `--format raw`.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

from prfpipe.errors import ProfilerError
from prfpipe.profilers.frames import Stack, Stacks, below_boundary, parse_label

MAX_BYTES = 64 * 1024 * 1024
_LINE = re.compile(r"(.*) ([1-9][0-9]{0,14})", re.DOTALL)
_HINT = "Profile again; if it stays so, run the profiler by hand on a small program and look at its output."


def read(path: Path, short: Callable[[str], str] = str) -> Stacks:
    """Read folded stacks that a profiler wrote; `short` is applied to each file name.

    Raises:
        ProfilerError: the file is missing, empty, cut, enormous or no folded stacks.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise ProfilerError(f"{path.name}: the profiler left no output: {error}", hint=_HINT) from error
    if size > MAX_BYTES:
        raise ProfilerError(
            f"{path.name}: {size} bytes, at most {MAX_BYTES} are read", hint="Profile for a shorter time."
        )
    return parse(data, source=path.name, short=short)


def parse(data: bytes, *, source: str, short: Callable[[str], str] = str) -> Stacks:
    """Parse folded stacks; equal stacks are added up, and a stack without names is one unknown frame.

    Raises:
        ProfilerError: the data is empty, cut in a line, or a line is not `stack COUNT` with a count above 0.
    """
    if not data:
        raise ProfilerError(f"{source}: the profiler's output is empty", hint=_HINT)
    if not data.endswith(b"\n"):
        raise ProfilerError(f"{source}: the last line is cut", hint=_HINT)
    frame = cache(lambda label: parse_label(label, short))
    stacks: Counter[Stack] = Counter()
    for number, line in enumerate(data[:-1].decode("utf-8", "replace").split("\n"), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ProfilerError(f"{source}:{number}: not a stack and a count: {line[:80]!r}", hint=_HINT)
        stacks[tuple(frame(label) for label in found[1].split(";"))] += int(found[2])
    return dict(stacks)


def render(stacks: Stacks) -> bytes:
    """The bytes of folded stacks, sorted, so that equal profiles are equal bytes; `parse` reads them back."""
    lines = sorted(f"{';'.join(frame.label for frame in stack)} {count}\n" for stack, count in stacks.items())
    return "".join(lines).encode()


def operations_only(stacks: Stacks) -> Stacks:
    """Only what ran inside operations: start-up, JSON, pipes and the runner's own loop do not count."""
    kept: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        if below := below_boundary(stack):
            kept[below] += count
    return dict(kept)
