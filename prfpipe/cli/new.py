"""`prfpipe new`."""

import argparse
import os
import re
import shutil
from pathlib import Path

from prfpipe.cli.output import print_text
from prfpipe.errors import LeverError

_TEMPLATE = Path(__file__).with_name("template")
_TEMPLATE_ID = "MY-LEVER"


def command(arguments: argparse.Namespace) -> int:
    """Write a small lever folder that works, to be changed into one's own."""
    folder = Path(arguments.folder)
    if os.path.lexists(folder):  # Path.exists raises where nobody may look
        raise LeverError(f"{folder} exists already", hint="Give the name of a folder that does not.")
    identity = _identity(folder.name)
    try:
        shutil.copytree(_TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("lever.yaml", "README.md"):
            file = folder / name
            file.write_text(file.read_text().replace(_TEMPLATE_ID, identity))
    except OSError as error:
        raise LeverError(f"{folder}: {error}", hint="Give a folder that can be written.") from error
    print_text(f"{folder}: {identity}\n\nprfpipe check {folder}\nprfpipe evaluate {folder} --effort quick --inline")
    return 0


def _identity(name: str) -> str:
    identity = re.sub(r"[^A-Z0-9]+", "-", name.upper()).strip("-")[:40]
    return identity if identity[:1].isalpha() else f"L-{identity}".rstrip("-")
