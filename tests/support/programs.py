"""Programs that some tests need and pip cannot install: without one its tests are left out, and the header says so."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

EVERYTHING = "PRFPIPE_TEST_EVERYTHING"
"""Set to 1, a missing program is a failure, as in CI."""
BROWSER = "chromium"
_ALSO = {BROWSER: ("chromium-browser", "google-chrome")}


def find(name: str) -> str | None:
    """Where a program is: on PATH, or where Debian keeps the server programs of PostgreSQL."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, debian)])
    return next((found for also in (name, *_ALSO.get(name, ())) if (found := shutil.which(also, path=path))), None)


def required(*names: str) -> list[str]:
    """Those of them that are missing."""
    return [name for name in names if find(name) is None]


def left_out(needs: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Files and folders of tests that cannot run on this machine, each with the line that says why."""
    if os.environ.get(EVERYTHING) == "1":
        return {}
    missing = {place: required(*names) for place, names in needs.items()}
    return {
        place: f"left out: tests/{place} needs {', '.join(names)}, not installed here ({EVERYTHING}=1 fails instead)"
        for place, names in missing.items()
        if names
    }
