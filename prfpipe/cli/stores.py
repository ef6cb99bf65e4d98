"""Which store or bundle a command works on. A folder on this machine needs no store, and loads none."""

import argparse
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prfpipe.errors import SettingsError

if TYPE_CHECKING:
    from prfpipe.progress import Progress
    from prfpipe.store import Store

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def store_of(arguments: argparse.Namespace) -> "Store":
    """The store of `--store`, or of PRFPIPE_STORE, or ./evidence."""
    from prfpipe.settings import load_settings
    from prfpipe.store import open_store

    return open_store(arguments.store or load_settings().store)


@contextmanager
def bundle_folder(arguments: argparse.Namespace) -> Iterator[Path]:
    """The folder that `bundle` names, or that of a run id's bundle, which is fetched from the store first."""
    folder = Path(arguments.bundle)
    if len(folder.parts) > 1 or folder.is_dir():  # a path of several parts may lie where nobody may look
        yield folder
        return
    from prfpipe.store.evidence import resolve
    from prfpipe.store.scratch import fetched

    store = store_of(arguments)
    with fetched(store, resolve(store, arguments.bundle)) as copy:
        yield copy


def day(text: str) -> datetime:
    """The beginning of a day (UTC) that `--since` names: YYYY-MM-DD.

    Raises:
        SettingsError: it is no day.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise SettingsError(f"--since {text!r} is not a day", hint="Write it as YYYY-MM-DD.") from error


def duration(text: str) -> timedelta:
    """A span of time as a number and a unit: 7d, 12h, 30m, 90s.

    Raises:
        SettingsError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,6})([dhms])", text, re.ASCII)
    if not match:
        raise SettingsError(f"{text!r} is not a span of time", hint="Write a number and a unit: 7d, 12h, 30m or 90s.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def teller(progress: "Progress", verb: str) -> Callable[[str, int, int], None]:
    """Tells the file that is next, the share of bytes that is done, and how long the rest takes at this speed."""
    start = time.monotonic()

    def tell(name: str, done: int, total: int) -> None:
        taken = time.monotonic() - start
        remaining = taken * (total - done) / done if done and taken > 1 else None
        progress.say(f"{verb}: {name}", done=done / max(total, 1), remaining=remaining)

    return tell
