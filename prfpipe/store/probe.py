"""What a store really guarantees, found out by trying."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from prfpipe.digests import sha256_hex
from prfpipe.errors import NotFoundError, StoreError
from prfpipe.models import GuaranteeWord, StoreGuarantees, StoreKind, StoreLevel
from prfpipe.store import open_store
from prfpipe.store.base import MAX_PART_CHARACTERS, PROBE, Seen, Store
from prfpipe.store.deadline import Deadline

PROBE_SECONDS = 60.0
WRITERS = 8

_TOO_SLOW = "not tried: the store is too slow"
_TRAITS = ("clock", "versioning", "object-lock")
# What the stores' own `traits` write, to be removed with everything else.
_OF_TRAITS = ("clock", "locked")
_WORDS: dict[bool | None, GuaranteeWord] = {True: "held", False: "not-held", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One guarantee: whether the store gives it (None: it could not be found out), and what was seen.

    Evidence cannot be kept without a `needed` guarantee; the others are welcome protection.
    """

    name: str
    result: bool | None
    detail: str
    needed: bool = False


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """All findings about the store at `url`."""

    url: str
    kind: StoreKind
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether the store gives everything that evidence needs."""
        return all(finding.result for finding in self.findings if finding.needed)

    @property
    def guarantees(self) -> StoreGuarantees:
        """The findings as the statement of a bundle records them."""
        words = {finding.name: _WORDS[finding.result] for finding in self.findings}
        return StoreGuarantees(kind=self.kind, guarantees=words, level=self._level)

    @property
    def _level(self) -> StoreLevel:
        seen = {finding.name: finding.result for finding in self.findings}
        needed = [finding.result for finding in self.findings if finding.needed]
        if False in needed:
            return "unreliable"
        if None in needed:
            return "unknown"
        if seen["object-lock"]:
            return "locked"
        return "write-once-enforced" if seen["conditional-create"] and seen["racing-writers"] else "verified-by-digest"


def guarantees_at(url: str) -> StoreGuarantees:
    """What the store at `url` guarantees; one that cannot be used now, for want of credentials too, is `unknown`.

    Raises:
        SettingsError: `url` cannot name a store.
    """
    try:
        return guarantees(open_store(url))
    except StoreError:
        return StoreGuarantees(kind="s3" if url.startswith("s3://") else "directory", guarantees={}, level="unknown")


def guarantees(store: Store, seconds: float = PROBE_SECONDS) -> StoreGuarantees:
    """What the store guarantees, for a statement: a store that fails or hangs is `unknown`, and no error."""
    try:
        report = Deadline(f"probe {store.url()}", seconds).run(lambda: probe(store, seconds))
    except StoreError:
        return StoreGuarantees(kind=store.kind, guarantees={}, level="unknown")
    return report.guarantees


def probe(store: Store, seconds: float = PROBE_SECONDS) -> ProbeReport:
    """Try what the store guarantees, with small objects below `probe/v1/` that are removed afterwards.

    Args:
        store: which.
        seconds: nothing new is tried after these; what was not tried is not known.

    Raises:
        StoreError: the store cannot even keep and return one object; the error says why.
    """
    trial = _Trial(store, f"{PROBE}/{secrets.token_hex(8)}", time.monotonic() + seconds)
    try:
        trial.require_round_trip()
        found = [trial.find(check) for check in CHECKS]
        return ProbeReport(store.url(), store.kind, (*found, *trial.traits()))
    finally:
        trial.clean_up()


class _Trial:
    """A folder of the store to try things in, until a moment of the monotonic clock."""

    def __init__(self, store: Store, folder: str, end: float) -> None:
        self.store = store
        self.folder = folder
        self._end = end
        self._used = {f"{folder}/{name}" for name in _OF_TRAITS}

    def find(self, check: "_Check") -> Finding:
        """What one check sees, while there is time."""
        if time.monotonic() > self._end:
            return Finding(check.name, None, _TOO_SLOW, check.needed)
        try:
            result, detail = check.run(self)
        except StoreError as error:
            result, detail = None, error.message
        return Finding(check.name, result, detail, check.needed)

    def traits(self) -> list[Finding]:
        seen: Mapping[str, Seen] = dict.fromkeys(_TRAITS, (None, _TOO_SLOW))
        if time.monotonic() <= self._end:
            try:
                seen = self.store.traits(self.folder)
            except StoreError as error:
                seen = dict.fromkeys(_TRAITS, (None, error.message))
        return [Finding(name, *seen[name]) for name in _TRAITS]

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
        # A store that fails once would make each of the others wait too; `prfpipe store clean` finds what stays.
        with suppress(StoreError):
            for key in sorted(self._used):
                self.store.delete(key)


def _read_after_write(trial: _Trial) -> Seen:
    data = secrets.token_bytes(64)
    accepted = trial.write("read-after-write", data) and trial.read("read-after-write") == data
    return accepted, "a new object is there at once" if accepted else "a new object is not there at once"


def _list_after_write(trial: _Trial) -> Seen:
    key = trial.key("list-after-write")
    trial.write("list-after-write", b"listed")
    seen = any(info.key == key and info.size == 6 for info in trial.store.list(trial.folder))
    return seen, "a new object is listed at once" if seen else "a new object is not listed at once"


def _delete_is_seen(trial: _Trial) -> Seen:
    trial.write("deleted", b"deleted")
    trial.store.delete(trial.key("deleted"))
    gone = trial.read("deleted") is None
    return gone, "a deleted object is gone at once" if gone else "a deleted object is still returned"


def _unusual_names(trial: _Trial) -> Seen:
    names = ["n" * MAX_PART_CHARACTERS, "Case", "case", "a.b..c--d__e.", "deep/er/and/deeper/name", "empty"]
    contents = {name: b"" if name == "empty" else name.encode() for name in names}
    for name, data in contents.items():
        trial.write(name, data)
    lost = [name[:20] for name, data in contents.items() if trial.read(name) != data]
    return (
        not lost,
        f"lost or mixed up: {', '.join(lost)}" if lost else "long, deep, dotted, empty and both cases",
    )


def _conditional_create(trial: _Trial) -> Seen:
    trial.write("conditional", b"first")
    refused = not trial.write("conditional", b"second", only_if_absent=True)
    kept = trial.read("conditional") == b"first"
    if refused and kept:
        return True, "a second writer is refused"
    return (
        False,
        "'only if absent' is ignored: the second writer wins" if not kept else "accepted, but not written",
    )


def _overwrite_refused(trial: _Trial) -> Seen:
    trial.write("overwrite", b"first")
    trial.write("overwrite", b"second")
    kept = trial.read("overwrite") == b"first"
    return kept, "a plain overwrite is refused" if kept else "a plain overwrite is possible and silent"


def _wrong_checksum_refused(trial: _Trial) -> Seen:
    accepted = trial.write("checksum", b"data", claimed=b"other data")
    return (
        not accepted,
        "stored in spite of a wrong sha256" if accepted else "bytes with a wrong sha256 are refused",
    )


def _racing_writers(trial: _Trial) -> Seen:
    contents = [bytes([65 + number]) * 64 for number in range(WRITERS)]
    barrier = threading.Barrier(WRITERS)
    told = [False] * WRITERS

    def write(number: int) -> None:
        barrier.wait()
        # A server that is busy with another writer may well answer 409 or 503: this writer was not let in.
        with suppress(StoreError):
            told[number] = trial.write("race", contents[number], only_if_absent=True)

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = trial.read("race")
    if not any(told):
        return None, f"none of {WRITERS} racing writers was let in"
    held = sum(told) == 1 and kept == contents[told.index(True)]
    return held, f"{sum(told)} of {WRITERS} racing writers were told that they created the object"


def _paged_listing(trial: _Trial) -> Seen:
    names = [f"pages/{number}" for number in range(5)]
    for name in names:
        trial.write(name, b"page")
    keys = [trial.key(name) for name in names]
    found = [info.key for info in trial.store.list(f"{trial.folder}/pages", page=2)]
    rest = [info.key for info in trial.store.list(f"{trial.folder}/pages", after=keys[2], page=2)]
    whole = found == keys and rest == keys[3:]
    return whole, "pages are whole and in order" if whole else "a listing of several pages is not what was written"


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    needed: bool
    run: Callable[[_Trial], Seen]


CHECKS = (
    _Check("read-after-write", needed=True, run=_read_after_write),
    _Check("list-after-write", needed=True, run=_list_after_write),
    _Check("paged-listing", needed=True, run=_paged_listing),
    _Check("delete-is-seen", needed=False, run=_delete_is_seen),
    _Check("unusual-names", needed=True, run=_unusual_names),
    _Check("conditional-create", needed=False, run=_conditional_create),
    _Check("racing-writers", needed=False, run=_racing_writers),
    _Check("overwrite-refused", needed=False, run=_overwrite_refused),
    _Check("wrong-checksum-refused", needed=False, run=_wrong_checksum_refused),
)
