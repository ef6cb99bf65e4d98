"""The files that a statement lists, and whether they are safe to copy."""

import re
from collections.abc import Callable, Mapping

from prfpipe.bundle import MAX_FILES, MAX_TOTAL_BYTES
from prfpipe.disk import MAX_FILE_BYTES
from prfpipe.errors import TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store.base import is_key

Manifest = Mapping[str, FileDigest]
Progress = Callable[[str, int, int], None]
"""Called with the file that is next, the bytes that are done and the bytes in all."""


def silent(_name: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def check_manifest(manifest: Manifest) -> None:
    """Refuse names that leave the folder, or collide where upper and lower case are the same, and what is too much.

    Raises:
        TamperError: as `prfpipe.bundle.read_tree` refuses a folder with these files.
    """
    if len(manifest) > MAX_FILES:
        raise _unsafe(f"it lists {len(manifest)} files, at most {MAX_FILES} are read")
    sizes = [digest.size for digest in manifest.values()]
    if sum(sizes) > MAX_TOTAL_BYTES or max(sizes, default=0) > MAX_FILE_BYTES:
        raise _unsafe(f"it lists {sum(sizes)} bytes, at most {MAX_TOTAL_BYTES} are read, {MAX_FILE_BYTES} of a file")
    names = [STATEMENT, *sorted(manifest)]
    taken = set[str]().union(*(_folders_of(name.lower()) for name in names))
    for name in names:
        if not is_key(name) or name.lower() in taken:
            raise _unsafe(f"it lists {name[:80]!a}")
        taken.add(name.lower())


def _folders_of(name: str) -> set[str]:
    return {name[: slash.start()] for slash in re.finditer("/", name)}


def _unsafe(problem: str) -> TamperError:
    return TamperError(
        f"the statement's files are not safe to copy: {problem}",
        hint="This bundle was not made by prfpipe, or was changed afterwards. Nothing was copied.",
    )
