"""One line of a runtime's output: `[ordinal, "module.call", outcome]`, and what of it counts as readable.

A line is UTF-8 JSON of arrays, strings, numbers, `true`, `false` and `null`. Whatever JSON readers are known to lose
is not readable: objects (their key order and their duplicate keys), a number that is no finite double, an untagged
`-0`. Lone surrogates and integers of any size are, by a slower reader. An unreadable line is never skipped: it is
reported, and stands for its own bytes.
"""

import json
import re
from typing import Any, NoReturn

import orjson

LONGEST = 1 << 20
"""Bytes of one line; memory stays bounded whatever a runtime prints."""
DEEPEST = 200
"""Levels of arrays; every reader and walker here can take so many."""

_FRAME = re.compile(rb'\[(0|[1-9]\d{0,8}),"([\w.]+)",')
_MINUS_ZERO = re.compile(rb"-0[],]")
_NINES = bytes.maketrans(b"012345678", b"999999999")
_TOO_LONG = b"9" * 19
"""An integer that orjson may turn into a float, in a line whose digits all are nines: faster than a pattern."""


class UnreadableError(ValueError):
    """A line that is not in the encoding; the message says why, in the same words for the same bytes."""


def ordinal_of(line: bytes) -> int | None:
    """The fixture that a whole line answers; None for a line that is cut off, too long or something else."""
    found = _FRAME.match(line)
    if found is None or line[-2:] != b"]\n":
        return None
    return int(found[1])


def family_of(line: bytes) -> str:
    """The call family of a line that has an ordinal."""
    found = _FRAME.match(line)
    if found is None:
        raise UnreadableError("not a line of a fixture")
    return found[2].decode("ascii")


def control(line: bytes, word: str, parts: int) -> list[Any] | None:
    """The parts of a line such as `["#end",5000]`; None if it is not one."""
    if not line.startswith(b'["#') or line[-2:] != b"]\n":
        return None
    try:
        found: list[Any] = parse(line)
    except UnreadableError:
        return None
    return found if found[0] == word and len(found) == parts else None


def parse(line: bytes) -> list[Any]:
    """The value of a line: `[ordinal, family, outcome]` and whatever the runtime has added.

    Raises:
        UnreadableError: the line is not in the encoding.
    """
    if b"{" in line:
        raise UnreadableError("an object, whose key order and duplicate keys are lost on reading")
    if _TOO_LONG in line.translate(_NINES) or (b"-0" in line and _MINUS_ZERO.search(line) is not None):
        return _parse_exactly(line)
    try:
        value: list[Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _parse_exactly(line)
    if line.count(b"[") > DEEPEST:
        _check_depth(value)
    return value


def _parse_exactly(line: bytes) -> list[Any]:
    """By the standard library, which keeps what orjson refuses (lone surrogates) or rounds (large integers)."""
    try:
        value: list[Any] = json.loads(line, parse_int=_integer, parse_float=_float, parse_constant=_refuse)
    except UnreadableError:
        raise
    except RecursionError:
        raise UnreadableError("nested too deeply") from None
    except ValueError:
        raise UnreadableError("not JSON") from None
    _check_depth(value)
    return value


def _integer(text: str) -> int:
    return int(text) if text != "-0" else _refuse(text)


def _float(text: str) -> float:
    number = float(text)
    return number if abs(number) != float("inf") else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise UnreadableError("a number that no double holds, or -0 without its tag")


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [item for each in level if type(each) is list for item in each]
        if not level:
            return
    raise UnreadableError("nested too deeply")
