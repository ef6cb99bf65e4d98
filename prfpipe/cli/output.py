"""What commands print: text for people, one JSON document for programs."""

import json
import signal
import sys
from collections.abc import Mapping
from typing import Any

from prfpipe.artifacts.names import clean
from prfpipe.errors import PrfpipeError

EXIT_CODES = {"adopt": 0, "reject": 1, "undecided": 3}


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_text(text: str) -> None:
    """Lines on stdout, each harmless on a terminal."""
    sys.stdout.write("".join(clean(line, 2000) + "\n" if line.strip() else "\n" for line in text.splitlines()))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Aligned `name  value` lines."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        sys.stdout.write(f"{name:<{width}}  {clean(str(value), 400)}\n")


def say_failure(error: PrfpipeError) -> None:
    """What happened, what to do about it, and what the subject said, on stderr."""
    sys.stderr.write(f"prfpipe: {clean(error.message, 2000)}\n  {clean(error.hint, 2000)}\n")
    _say_notes(error)


def say_interrupted(interrupt: KeyboardInterrupt) -> int:
    """That the work was ended from outside, on stderr; returns the exit code, as shells count: 128 and the signal."""
    number: int = getattr(interrupt, "signal", signal.SIGINT)
    sys.stderr.write(f"\nprfpipe: interrupted by {signal.Signals(number).name}; what was recorded is kept\n")
    _say_notes(interrupt)
    return 128 + number


def _say_notes(error: BaseException) -> None:
    for note in getattr(error, "__notes__", ()):
        sys.stderr.write("".join(f"  | {clean(line, 400)}\n" for line in note.splitlines()))
