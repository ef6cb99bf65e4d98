"""What an auditor saw last of each chain: the one thing that shows when an archive is set back to an older state."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from prfpipe.audit.chains import Head
from prfpipe.disk import disk_errors
from prfpipe.layout import decode, encode
from prfpipe.models import Record


class Seen(Record):
    """The file: the ends of chains, by lever and key."""

    format: Literal["prfpipe/seen/v1"] = "prfpipe/seen/v1"
    heads: tuple[Head, ...] = ()


def seen_heads(path: Path) -> tuple[Head, ...]:
    """What was seen last; nothing if the file does not exist yet. Raises `BundleError`."""
    with disk_errors(str(path)):
        return decode(Seen, path.read_bytes(), str(path)).heads if path.exists() else ()


def remember(path: Path, heads: Iterable[Head]) -> None:
    """Put these ends in the place of earlier ones of the same chains, in one step. Raises `BundleError`.

    An audit of a part of an archive, or of an older copy, ends earlier: that takes nothing back.
    """
    known = sorted((*seen_heads(path), *heads), key=lambda head: head.sequence)
    kept = {(head.lever, head.keyid): head for head in known}
    with disk_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        with fresh.open("wb") as stream:
            stream.write(encode(Seen(heads=tuple(kept[chain] for chain in sorted(kept)))))
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
