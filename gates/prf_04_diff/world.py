"""What PRF-04's subject is given: LEV-01's drifting project, cold or with what it cached the last time.

`params`: `modules`, `changed_percent`, `cold` (whether the cache is removed before each diff), `runtimes` (two).
`answer` is what the diff must be, by LEV-01's baseline: every module analysed, nothing kept.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gates.runtime import levers

lever = levers.load("lev_01_compat_cache", "baseline", "workload")


def operations(params: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Endless states of a project; no content ever comes again."""
    for operation in lever.workload.operations(params, seed):
        cache = "delete" if params["cold"] else "keep"
        yield {**operation, "cache": cache, "settings": {"targets": params["runtimes"]}}


def prepare(operation: dict[str, Any], params: Mapping[str, Any], workdir: Path) -> None:
    """Put `workdir` into the state that the operation names."""
    lever.workload.prepare(operation, params, workdir)
