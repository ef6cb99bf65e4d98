"""Recorded lines made new: as another run of the same runtimes would print them, with divergences planted.

Another run has other times, another process id, another sandbox and other random UUIDs; so do the lines of each side
here, and nothing else changes that no divergence was planted in.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import recordings
import volatile

_VOLATILE = re.compile("|".join(f"(?P<{kind}>{rule.pattern})" for kind, rule in volatile.PATTERNS.items()), re.ASCII)
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 3 * 365
Parts = list[str]
"""Text, kind, text, kind, … text."""


class Run:
    """What is special about one run of a runtime."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._now = _EPOCH + timedelta(seconds=rng.random() * _DAYS * 86_400)
        self._process = f"pid {rng.randrange(2, 4_194_304)}"
        self._sandbox = "/tmp/lockstep-" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789_", k=8))  # noqa: S108  # a name, not a file

    def word(self, kind: str) -> str:
        """What this run prints at a place of that kind."""
        makers: dict[str, Callable[[], str]] = {"time": self.time, "pid": self.pid, "sandbox": self.sandbox}
        return makers.get(kind, self.uuid)()

    def time(self) -> str:
        self._now += timedelta(microseconds=self._rng.randrange(20, 2_000))
        return self._now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self._now.microsecond // 1000:03}Z"

    def pid(self) -> str:
        return self._process

    def sandbox(self) -> str:
        return self._sandbox

    def uuid(self) -> str:
        digits = f"{self._rng.getrandbits(128):032x}"
        variant = self._rng.choice("89ab")
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


@cache
def _volatile_lines(name: str) -> dict[int, Parts]:
    """The lines of a recording in which something is volatile, by ordinal, cut at what is."""
    found = {}
    for ordinal, line in enumerate(recordings.lines(name)[1:-1]):
        parts = list(_parts(line.decode()))
        if len(parts) > 1:
            found[ordinal] = parts
    return found


def _parts(line: str) -> Iterator[str]:
    end = 0
    for match in _VOLATILE.finditer(line):
        kind = str(match.lastgroup)
        scheme = "file://" if match[0].startswith("file://") else ""
        yield line[end : match.start()] + scheme
        yield kind
        end = match.end()
    yield line[end:]


def output(name: str, count: int, seed: str, planted: int, *, stamped: bool) -> list[bytes]:
    """All lines of a run of the recorded runtime `name` over the first `count` fixtures.

    `seed` makes the run what it is; `planted` outcomes are changed; `stamped` lines end with time and process.
    """
    rng = random.Random(f"{name} {seed}")
    run = Run(rng)
    lines = list(recordings.lines(name)[1 : count + 1])
    for ordinal, parts in _volatile_lines(name).items():
        if ordinal < count:
            filled = [part if at % 2 == 0 else run.word(part) for at, part in enumerate(parts)]
            lines[ordinal] = "".join(filled).encode()
    for ordinal in rng.sample(range(count), planted):
        lines[ordinal] = plant(lines[ordinal], rng)
    if stamped:
        lines = [line[:-2] + f',"{run.time()} {run.pid()}"]\n'.encode() for line in lines]
    head = json.loads(recordings.lines(name)[0])
    return [dumped([*head[:3], count, head[4]]), *lines, dumped(["#end", count])]


def dumped(value: object) -> bytes:
    """A line as encode.mjs prints it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("{", "\\u007b").encode() + b"\n"


def plant(line: bytes, rng: random.Random) -> bytes:
    """The line with one place of its outcome changed."""
    ordinal, family, outcome, *others = json.loads(line)
    return dumped([ordinal, family, changed(outcome, rng), *others])


def changed(value: Any, rng: random.Random) -> Any:
    """The value with one change, at a place that `rng` picks: always another value, never only volatile text."""
    if type(value) is list and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(CHANGES[type(value)])(value)


def _swapped(values: list[Any]) -> list[Any]:
    """Two neighbours change places if that makes a difference; otherwise one comes twice."""
    turned = values[:-2] + values[:-3:-1]
    same = volatile.canonical_text(json.dumps(turned)) == volatile.canonical_text(json.dumps(values))
    return [*values, None] if same else turned


CHANGES: dict[type, list[Callable[[Any], Any]]] = {
    str: [lambda text: text + "!", lambda text: [text], lambda text: "!" + text],
    int: [lambda number: number + 1, float, str],
    float: [lambda number: -number if number else 1, str],
    bool: [lambda flag: not flag, int, lambda flag: None],
    type(None): [lambda _: ["undefined"], lambda _: False, lambda _: "null"],
    list: [lambda values: [*values, None], _swapped, lambda values: values[:-1] if values else None],
}
