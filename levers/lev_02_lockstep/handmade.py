"""Outputs written by hand: lines as texts, so that a case can say what no runtime prints."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Operation = dict[str, Any]
Output = Sequence[Any]

REFERENCE, OTHER, THIRD, FOURTH = "node", "deno", "bun", "node-20"
END = '["#end",0]'


def head(count: int, corpus: str = "1:corpus", runtime: str = "node", version: str = "24.0.0") -> str:
    """The first line of an output of `count` fixtures."""
    return f'["#begin","{runtime}","{version}",{count},"{corpus}"]'


def line(ordinal: int, outcome: str, family: str = "path.join") -> str:
    """One fixture's line; the outcome is JSON text as it stands."""
    return f'[{ordinal},"{family}",{outcome}]'


def whole(outcomes: Sequence[str], family: str = "path.join") -> list[str]:
    """A complete output with these outcomes."""
    answered = [line(ordinal, outcome, family) for ordinal, outcome in enumerate(outcomes)]
    return [head(len(outcomes)), *answered, END]


def compared(fixtures: int, *outputs: Output | None, **others: Any) -> Operation:
    """An operation that compares outputs, the reference's first; None is a runtime that is not there."""
    names = (REFERENCE, OTHER, THIRD, FOURTH)[: len(outputs)]
    files = {name: list(output) for name, output in zip(names, outputs, strict=True) if output is not None}
    return {"fixtures": fixtures, "runtimes": list(names), "files": files, **others}


def pairs(*outcomes: tuple[str, str]) -> Operation:
    """One fixture for each pair: what the reference and what the other runtime answer."""
    reference, other = zip(*outcomes, strict=True)
    return compared(len(outcomes), whole(reference), whole(other))


def outcomes(*each: Sequence[str]) -> Operation:
    """Complete outputs of several runtimes."""
    return compared(len(each[0]), *map(whole, each))


def failing(output: Output, lines: int, how: str, seconds: float = 20, **others: str) -> Operation:
    """The second runtime is a program that prints so many lines and then ends as `how` says."""
    program = {"arguments": [str(lines), how], "seconds": seconds, **others}
    fixtures = len(output) - 2
    return compared(fixtures, output, output, programs={OTHER: program})


def raw(texts: Iterable[bytes]) -> list[Mapping[str, str]]:
    """Exactly these bytes, line feeds included."""
    return [{"hex": text.hex()} for text in texts]
