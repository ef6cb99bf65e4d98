"""What PRF-01's subject starts on, and what it is asked first; runs in a process of its own, never timed.

`params`: `extensions` that the first operation loads, `records` that the audit log has from earlier turns.
"""

import random
import runpy
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gates.runtime import publisher
from gates.runtime.core import Runtime

KINDS = ("opened", "changed", "saved", "closed")
WORDS = ("# part", "runtime", "key=s3cret", "\n", "module", "loads", "token=abc", "what", "it", "uses")


def operations(params: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Endless: some extensions are loaded, then an event is sent to them. Answers come from the last one loaded."""
    rng = random.Random(seed)
    names = sorted(publisher.shipped_extensions())
    while True:
        loaded = rng.sample(names, params["extensions"])
        event = {"kind": rng.choice(KINDS), "text": " ".join(rng.choices(WORDS, k=rng.randrange(10, 60)))}
        answers = [handled(name, event) for name in reversed(loaded)]
        answer = {"answers": [[found for found in answers if found is not None]], "registered": loaded}
        yield {"request": {"add": loaded, "events": [event]}, "answer": answer}


def handled(name: str, event: Mapping[str, Any]) -> Any:
    """What a fresh extension says by itself, without host, policy and provenance."""
    return runpy.run_path(str(publisher.HERE / "extensions" / f"{name.rpartition('_')[0]}.py"))["handle"](event)


def prepare(operation: object, params: Mapping[str, Any], workdir: Path) -> None:
    """A fresh copy of the same state."""
    shutil.copytree(_template(params["records"]), workdir, dirs_exist_ok=True)


@cache
def _template(records: int) -> Path:
    """A state that was in use: its audit log has at least so many records."""
    state = Path("state").absolute()
    runtime = Runtime.start(publisher.install(state), state)
    event = {"kind": "opened", "text": "before"}
    while runtime.guard.audit is not None and runtime.guard.audit.head.records < records:
        runtime.perform("extensions", {"events": [event] * min(records, 100)})
    runtime.close()
    return state
