"""PRF-01's subject: a runtime that starts, answers the request on its stdin, and stays until stdin ends.

Its line on stdout has the answer and when each phase ended. What stands above the first mark is the interpreter's own
start; nothing is imported before it that the runtime does not need. What is made while it starts stays until it ends,
so the garbage collector does not look for any in it.
"""

import gc
from time import perf_counter_ns

marks: list[tuple[str, int]] = [("interpreter", perf_counter_ns())]


def mark(phase: str) -> None:
    """A phase has ended."""
    marks.append((phase, perf_counter_ns()))


def main() -> None:
    """Start on the state in the working folder."""
    gc.disable()
    import json
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from gates.runtime.core import Runtime

    mark("imports")
    runtime = Runtime.start(Path("config.json"), Path.cwd(), mark=mark)
    answer = runtime.perform("extensions", json.loads(sys.stdin.readline()))
    mark("first operation")
    sys.stdout.write(json.dumps({"marks": marks, "answer": answer}) + "\n")
    sys.stdout.flush()
    gc.enable()
    sys.stdin.read()
    runtime.close()


if __name__ == "__main__":
    main()
