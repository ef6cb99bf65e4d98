"""Programs that some tests need and pip cannot install."""

import os
import shutil
from pathlib import Path


def find(name: str) -> str | None:
    """Where a program is: on PATH, or where Debian keeps the server programs of PostgreSQL."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, debian)]))


def required(*names: str) -> list[str]:
    """Those of them that are missing."""
    return [name for name in names if find(name) is None]
