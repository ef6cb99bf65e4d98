"""What commands print: text for people, one JSON document for programs."""

import json
import os
import signal
import sys
import traceback

from prfpipe.artifacts.names import clean
from prfpipe.errors import PrfpipeError

EXIT_CODES = {"adopt": 0, "reject": 1, "undecided": 3}


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    _write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


class Listing:
    """A list on stdout that is written as it comes: lines for people, or one JSON document.

    The document is a list, or an object with the list in it. One that broke off has no end, so that no reader
    takes it for the whole.
    """

    def __init__(self, as_json: bool, member: str | None = None) -> None:
        self._as_json, self._member = as_json, member
        self._begin = "[" if member is None else f"{{{json.dumps(member)}: ["
        self._count = 0

    @property
    def begun(self) -> bool:
        """Whether an item was printed."""
        return self._count > 0

    def add(self, item: object, text: str) -> None:
        """The next item: its JSON value, and what people see of it (nothing if that is empty)."""
        if self._as_json:
            _write(("," if self._count else self._begin) + "\n" + json.dumps(item, ensure_ascii=False, allow_nan=False))
        elif text:
            print_text(text)
        self._count += 1

    def close(self, text: str = "", **rest: object) -> None:
        """The end: further members of the JSON object, and the last words for people."""
        if self._as_json:
            members = "".join(f",\n{json.dumps(name)}: {json.dumps(value)}" for name, value in rest.items())
            _write(("\n" if self._count else self._begin) + "]" + members + ("\n" if self._member is None else "}\n"))
        elif text:
            print_text(text)


def print_text(text: str) -> None:
    """Lines on stdout, each harmless on a terminal."""
    _write("".join(clean(line, 2000) + "\n" if line.strip() else "\n" for line in text.splitlines()))


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise PrfpipeError(f"the output cannot be written: {error.strerror}", hint="Write it elsewhere.") from error


def drop_stdout() -> None:
    """Let what stdout still holds go nowhere, so that ending the process does not fail over it once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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


def say_defect() -> int:
    """The exception that is being handled, as prfpipe's own fault, on stderr; returns the exit code of no answer."""
    traceback.print_exc()
    sys.stderr.write("prfpipe: this is a defect of prfpipe, not an answer; what was recorded is kept\n")
    return PrfpipeError.exit_code


def _say_notes(error: BaseException) -> None:
    for note in getattr(error, "__notes__", ()):
        sys.stderr.write("".join(f"  | {clean(line, 400)}\n" for line in note.splitlines()))
