"""Realistic edits of real modules: what a person changes between two runs of a checker.

An edit is a function of the pristine source, its name and a number: the same ones give the same text
anywhere, another number gives another text.
"""

import random
import re

TOP_LEVEL = re.compile(
    rb"\n\n(?=(?:const|let|var|function|async function|class|module\.exports|exports\.|export|if|for) ?)"
)
"""Empty lines before a statement in the first column: nearly always between two top-level statements."""

CONDITION = re.compile(rb"\bif \((?=[^)])")
IS_ESM = re.compile(rb"^(?:import|export)\b", re.MULTILINE)
BUILTIN = rb"""(["'])(?:node:)?(?:fs|path|os|util|url|events|stream|crypto|child_process)\1"""
REQUIRED = re.compile(rb"require\(" + BUILTIN + rb"\)")
IMPORTED = re.compile(rb"from " + BUILTIN)
ADDED = (
    ("os", "availableParallelism"),
    ("fs", "readFileSync"),
    ("path", "posix.join"),
    ("util", "styleText"),
    ("url", "parse"),
    ("crypto", "hash"),
    ("module", "enableCompileCache"),
    ("child_process", "execSync"),
)


def edit(source: bytes, name: str, number: int) -> bytes:
    """`source` of the module `name`, changed in one place; syntax stays as sound as it was."""
    rng = random.Random(f"{number} {name}")
    kind = rng.choice((_insert, _insert, _alter, _add_use, _remove_use))
    return kind(source, rng, number)


def _insert(source: bytes, rng: random.Random, number: int) -> bytes:
    """A statement of some lines, between two others."""
    lines = [f"const limit{number} = {rng.randrange(10_000)}"]
    lines += [f"// step {step}: {rng.getrandbits(32):08x}" for step in range(rng.randrange(4))]
    return _at_statement(source, rng, "\n".join(lines).encode())


def _alter(source: bytes, rng: random.Random, number: int) -> bytes:
    """A condition that is there, with one more operand that does not change it; without any, an insertion."""
    places = [match.end() for match in CONDITION.finditer(source)]
    if not places:
        return _insert(source, rng, number)
    at = rng.choice(places)
    return source[:at] + f"{number}, ".encode() + source[at:]


def _add_use(source: bytes, rng: random.Random, number: int) -> bytes:
    """A builtin that was not loaded there before, and one use of it."""
    module, member = rng.choice(ADDED)
    name = f"{module}{number}"
    if IS_ESM.search(source):
        load = f'import * as {name} from "node:{module}"'
    else:
        load = f'const {name} = require("node:{module}")'
    return _at_statement(source, rng, f"{load}\n{name}.{member}".encode())


def _remove_use(source: bytes, rng: random.Random, number: int) -> bytes:
    """A builtin's load turned into that of a local module; without any, an insertion."""
    required = [(match.span(), b'require("./local%d.js")') for match in REQUIRED.finditer(source)]
    imported = [(match.span(), b'from "./local%d.js"') for match in IMPORTED.finditer(source)]
    if not required + imported:
        return _insert(source, rng, number)
    (start, end), text = rng.choice(required + imported)
    return source[:start] + text % number + source[end:]


def _at_statement(source: bytes, rng: random.Random, text: bytes) -> bytes:
    places = [match.start() for match in TOP_LEVEL.finditer(source)]
    at = rng.choice([*places, len(source)])
    return source[:at] + b"\n\n" + text + b"\n" + source[at:]
