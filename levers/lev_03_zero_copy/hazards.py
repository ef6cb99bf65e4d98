"""What goes wrong when a host looks at memory that the engine owns, one hazard a process.

    python hazards.py naive transfer
    python hazards.py leased transfer

`naive` keeps a view of the engine's memory, as the first idea for a zero-copy bridge does. `leased` is the
candidate in the same place. Prints what the host reads before and after, or what refuses it. The naive one prints
garbage or dies by a signal, so tests start this file as a child.
"""

import json
import sys
from pathlib import Path
from typing import Any

import candidate
import engine
from edge_cases import send

SIZE = 4 << 20
NAIVE = {
    "drop": f"look => {{ look(new Uint8Array({SIZE}).fill(7)); }}",
    "transfer": f"look => {{ const m = new Uint8Array({SIZE}).fill(7); look(m); m.buffer.transfer(8); }}",
    "resize": (
        f"look => {{ const b = new ArrayBuffer({SIZE}, {{ maxByteLength: {SIZE} }});"
        " const m = new Uint8Array(b).fill(7); look(m); b.resize(8); }"
    ),
}
"""The guest shows its memory to the host, and then lets go of it in one of three ways."""

LEASED: dict[str, list[list[Any]]] = {
    "drop": [["collect"]],
    "transfer": [["transfer", 8]],
    "resize": [["resize", 8]],
}
CHURN = "() => { for (let i = 0; i < 64; i++) new Uint8Array(1 << 22).fill(9); }"


def naive(hazard: str) -> None:
    """First and last byte of a view that is kept: before the guest lets go of its memory, and after."""
    spidermonkey = engine.load()
    kept: list[memoryview] = []

    def look(view: memoryview) -> None:
        kept.append(view)
        say([view[0], view[-1]])

    spidermonkey.eval(NAIVE[hazard])(look)
    for _ in range(2):
        spidermonkey.collect()
        spidermonkey.eval(CHURN)()
    say([kept[0][0], kept[0][-1]])


def leased(hazard: str) -> None:
    """What a host function that keeps its payload gets on the candidate's bridge."""
    subject = candidate.Subject({}, Path())
    for steps in (send(0, "keep", 8), [*LEASED[hazard], ["churn", 2000], ["collect"], *send(64, "recall", 8)]):
        say([outcome for name, outcome in subject.operate({"script": steps})["guest"] if name == "call"])
    subject.close()


def say(found: list[Any]) -> None:
    """One line, out before anything can crash."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    bridge, name = sys.argv[1:]
    {"naive": naive, "leased": leased}[bridge](name)
