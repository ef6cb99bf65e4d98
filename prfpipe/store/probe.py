"""What a store really guarantees, found out by trying."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from prfpipe.digests import sha256_hex
from prfpipe.errors import NotFoundError, StoreError
from prfpipe.store.base import MAX_PART_CHARACTERS, Store

MAX_DRIFT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One guarantee: whether the store gives it (None: it could not be found out), and what was seen.

    Evidence cannot be kept without a `needed` guarantee; the others are welcome protection.
    """

    name: str
    result: bool | None
    needed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """All findings about the store at `url`."""

    url: str
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether the store gives everything that evidence needs."""
        return all(finding.result for finding in self.findings if finding.needed)


def probe(store: Store) -> ProbeReport:
    """Try what the store guarantees, with small objects below `probe/v1/` that are removed afterwards.

    Raises:
        StoreError: the store cannot even keep and return one object; the error says why.
    """
    folder = f"probe/v1/{secrets.token_hex(8)}"
    trial = _Trial(store, folder)
    try:
        trial.require_round_trip()
        return ProbeReport(store.url(), tuple(_find(check, trial) for check in _CHECKS))
    finally:
        trial.clean_up()


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    needed: bool
    run: "Callable[[_Trial], tuple[bool | None, str]]"


def _find(check: _Check, trial: "_Trial") -> Finding:
    try:
        result, detail = check.run(trial)
    except StoreError as error:
        result, detail = None, error.message
    return Finding(check.name, result, check.needed, detail)


class _Trial:
    """A folder of the store to try things in."""

    def __init__(self, store: Store, folder: str) -> None:
        self.store = store
        self.folder = folder
        self._used: set[str] = set()

    def key(self, name: str) -> str:
        key = f"{self.folder}/{name}"
        self._used.add(key)
        return key

    def write(self, name: str, data: bytes, *, claimed: bytes | None = None, only_if_absent: bool = False) -> bool:
        claimed_sha256 = sha256_hex(data if claimed is None else claimed)
        return self.store.attempt(self.key(name), data, claimed_sha256=claimed_sha256, only_if_absent=only_if_absent)

    def read(self, name: str) -> bytes | None:
        try:
            return self.store.get(self.key(name))
        except NotFoundError:
            return None

    def require_round_trip(self) -> None:
        data = secrets.token_bytes(64)
        self.store.put(self.key("round-trip"), data, sha256_hex(data))

    def clean_up(self) -> None:
        with suppress(StoreError):
            for key in sorted(self._used):
                self.store.delete(key)


def _read_after_write(trial: _Trial) -> tuple[bool, str]:
    data = secrets.token_bytes(64)
    accepted = trial.write("read-after-write", data) and trial.read("read-after-write") == data
    return accepted, "a new object is there at once" if accepted else "a new object is not there at once"


def _list_after_write(trial: _Trial) -> tuple[bool, str]:
    key = trial.key("list-after-write")
    trial.write("list-after-write", b"listed")
    seen = any(info.key == key and info.size == 6 for info in trial.store.list(trial.folder))
    return seen, "a new object is listed at once" if seen else "a new object is not listed at once"


def _delete_is_seen(trial: _Trial) -> tuple[bool, str]:
    trial.write("deleted", b"deleted")
    trial.store.delete(trial.key("deleted"))
    gone = trial.read("deleted") is None
    return gone, "a deleted object is gone at once" if gone else "a deleted object is still returned"


def _unusual_names(trial: _Trial) -> tuple[bool, str]:
    names = ["n" * MAX_PART_CHARACTERS, "Case", "case", "a.b..c--d__e.", "deep/er/and/deeper/name", "empty"]
    contents = {name: b"" if name == "empty" else name.encode() for name in names}
    for name, data in contents.items():
        trial.write(name, data)
    lost = [name[:20] for name, data in contents.items() if trial.read(name) != data]
    return (
        not lost,
        f"lost or mixed up: {', '.join(lost)}" if lost else "long, deep, dotted, empty and both cases",
    )


def _conditional_create(trial: _Trial) -> tuple[bool, str]:
    trial.write("conditional", b"first")
    refused = not trial.write("conditional", b"second", only_if_absent=True)
    kept = trial.read("conditional") == b"first"
    if refused and kept:
        return True, "a second writer is refused"
    return (
        False,
        "'only if absent' is ignored: the second writer wins" if not kept else "accepted, but not written",
    )


def _overwrite_refused(trial: _Trial) -> tuple[bool, str]:
    trial.write("overwrite", b"first")
    trial.write("overwrite", b"second")
    kept = trial.read("overwrite") == b"first"
    return kept, "a plain overwrite is refused" if kept else "a plain overwrite is possible and silent"


def _wrong_checksum_refused(trial: _Trial) -> tuple[bool, str]:
    accepted = trial.write("checksum", b"data", claimed=b"other data")
    return (
        not accepted,
        "stored in spite of a wrong sha256" if accepted else "bytes with a wrong sha256 are refused",
    )


def _clock(trial: _Trial) -> tuple[bool | None, str]:
    before = datetime.now(UTC)
    key = trial.key("clock")
    trial.write("clock", b"tick")
    after = datetime.now(UTC)
    stamps = [info.modified for info in trial.store.list(trial.folder) if info.key == key]
    if not stamps:
        return None, "the object is not listed"
    drift = max((before - stamps[0]).total_seconds(), (stamps[0] - after).total_seconds(), 0.0)
    return drift <= MAX_DRIFT_SECONDS, f"the store's clock differs from this machine's by about {drift:.0f} s"


_CHECKS = (
    _Check("read-after-write", needed=True, run=_read_after_write),
    _Check("list-after-write", needed=True, run=_list_after_write),
    _Check("delete-is-seen", needed=False, run=_delete_is_seen),
    _Check("unusual-names", needed=True, run=_unusual_names),
    _Check("conditional-create", needed=False, run=_conditional_create),
    _Check("overwrite-refused", needed=False, run=_overwrite_refused),
    _Check("wrong-checksum-refused", needed=False, run=_wrong_checksum_refused),
    _Check("clock", needed=False, run=_clock),
)
