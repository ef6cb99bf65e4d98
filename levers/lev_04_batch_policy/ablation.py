"""What each ingredient of the candidate gains, one after the other: `python ablation.py [BATCHES]`.

Not evidence (one process, no control), but it tells which part of the lever the measured gain comes from.
"""

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import baseline
import candidate
import traffic
from service import parsed

PARAMS = {"policies": 100, "batch": 64, "stateful_percent": 12, "change_every": 1, "update_every": 8}
Answering = Callable[[Mapping[str, Any]], object]


def ingredients() -> dict[str, Answering]:
    """Services from the baseline to the candidate; each has one thing more than the one before."""
    held = baseline.Subject({**PARAMS, "holds": "snapshot"}, Path())
    alone = candidate.Subject(PARAMS, Path())
    return {
        "baseline": baseline.Subject(PARAMS, Path()).operate,
        "+ all entities kept parsed": held.operate,
        "+ policies sliced by scope": lambda batch: [alone.answers([parsed(item)]) for item in batch["items"]],
        "+ one call for many = candidate": candidate.Subject(PARAMS, Path()).operate,
    }


def main(batches: int) -> None:
    """Every service answers each batch in turn; medians per batch."""
    services = ingredients()
    spent: dict[str, list[int]] = {name: [] for name in services}
    for batch in itertools.islice(traffic.batches(PARAMS, 1), batches):
        decoded = json.loads(json.dumps(batch))
        for name, answer in services.items():
            start = time.perf_counter_ns()
            answer(decoded)
            spent[name].append(time.perf_counter_ns() - start)
    medians = {name: statistics.median(times) / 1e6 for name, times in spent.items()}
    for name, median in medians.items():
        sys.stdout.write(f"{name:34}{median:8.2f} ms{medians['baseline'] / median:7.2f}x\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
