"""Functions as profiles name them: cleaned, with short paths; and which of them are the lever's targets."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import prfpipe.subject

MAX_NAME = 200
ARROW = " → "
"""Between the two files of a function that stands in the variants' own files, which have different names."""

UNKNOWN = frozenset({"", "?", "??", "<unknown>", "[unknown]"})
_STDLIB = re.compile(r"/lib/python3\.\d+t?/(.+)$")
_PACKAGES = ("/site-packages/", "/dist-packages/")


class Frame(NamedTuple):
    """A function in a file; `file` may be empty."""

    function: str
    file: str

    @property
    def label(self) -> str:
        """`function (file)`, the form in folded stacks; `parse_label` reads it back."""
        return f"{self.function} ({self.file})" if self.file else self.function

    @property
    def unknown(self) -> bool:
        """Whether the profiler could not say which function this is."""
        return self.function in UNKNOWN


Stack = tuple[Frame, ...]
Stacks = Mapping[Stack, int]
"""Folded stacks: outermost function first -> number of samples, at least 1."""


def parse_label(label: str, short: Callable[[str], str] = str) -> Frame:
    """Read `function (file)`; `short` is applied to the file as the profiler wrote it."""
    at = label.find(" (")
    if at > 0 and label.endswith(")"):
        return clean_frame(label[:at], short(label[at + 2 : -1]))
    return clean_frame(label, "")


def clean_frame(function: str, file: str) -> Frame:
    """A frame whose texts are printable and bounded and cannot be taken for the syntax of folded stacks."""
    name = re.sub(r" +\(", "(", printable(function).replace(";", ","))
    return Frame(_head(name) or "<unknown>", _tail(printable(file).replace(";", ",")))


def printable(text: str) -> str:
    """The text with control characters, bidirectional overrides, lone surrogates and the like as U+FFFD."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text).strip()


def _head(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _tail(file: str) -> str:
    return file if len(file) <= MAX_NAME else "…" + file[1 - MAX_NAME :]


RUNNER = str(Path(prfpipe.subject.__file__).with_name("runner.py"))
_OURS = "<prfpipe>"
BOUNDARY = Frame("timed_block", f"{_OURS}/runner.py")
"""The runner's frame below which operations run; what lies above it is not the subject's."""
_COMPREHENSIONS_HAVE_FRAMES = sys.version_info < (3, 12)
"""Of their own: `timed_block` has one. Where they have none, such a frame is not the runner's."""
WARM_UP = Frame("warm_up", BOUNDARY.file)
"""Stands above it while the subject warms up: a cache that fills would hide what it saves later."""


@dataclass(frozen=True)
class Paths:
    """Shortens the paths of a profile, so that no home folder and no scratch folder reaches the evidence.

    Files of the tree become relative to it; others become `<stdlib>/…`, `<site-packages>/…` or a bare name.
    """

    tree: Path

    @cached_property
    def _roots(self) -> tuple[str, str]:
        return f"{self.tree}/", f"{self.tree.resolve()}/"

    def short(self, file: str) -> str:
        """The short form of one path."""
        if file == RUNNER:
            return BOUNDARY.file
        if file.startswith(_OURS):
            return f"?{file}"  # code can be compiled under any name
        for root in self._roots:
            if file.startswith(root):
                return file.removeprefix(root)
        return _library(file)


def _library(file: str) -> str:
    for marker in _PACKAGES:
        if marker in file:
            return "<site-packages>/" + file.rsplit(marker, 1)[1]
    if found := _STDLIB.search(file):
        return "<stdlib>/" + found.group(1)
    return PurePosixPath(file).name if file.startswith(("/", "~")) else file


def below_boundary(stack: Stack) -> Stack:
    """What runs below the runner's `timed_block` once the subject is warm, or nothing.

    The subject can give its own functions these names, so only the outermost is taken for the runner's.
    """
    if BOUNDARY not in stack:
        return ()
    at = stack.index(BOUNDARY)
    below = stack[at + 1 :]
    if WARM_UP in stack[:at]:
        return ()
    return below[1:] if _COMPREHENSIONS_HAVE_FRAMES and below and below[0].file == BOUNDARY.file else below


@dataclass(frozen=True)
class Targets:
    """Entries `file.py`, `file.py:function` or `folder/`; a function's last name is enough (`operate`)."""

    entries: tuple[str, ...]

    def unqualified(self) -> "Targets":
        """The same with the last part of each function's name, as functions are called in differences."""
        split = (entry.partition(":") for entry in self.entries)
        return Targets(tuple(file + colon + name.rpartition(".")[2] for file, colon, name in split))

    def match(self, frame: Frame) -> bool:
        """Whether an entry names this function; library files match without their `<…>/`."""
        files = _names(frame.file)
        return any(_matches(entry, frame.function, file) for entry in self.entries for file in files)


def _names(file: str) -> tuple[str, ...]:
    names = file.split(ARROW)
    return (*names, *(name.split(">/", 1)[1] for name in names if name.startswith("<") and ">/" in name))


def _matches(entry: str, function: str, file: str) -> bool:
    path, _, name = entry.partition(":")
    if path != file and not (path.endswith("/") and file.startswith(path)):
        return False
    named = function == name or function.endswith(f".{name}") or function.startswith(f"{name}.<locals>.")
    return named or not name
