"""A store that fails as it is told, behind the same Protocol as every other one.

`FaultyStore(inner, plan)` asks `plan` before each call what shall go wrong with it, and does exactly that to the
store inside. A plan is a function; `once`, `always` and `seeded` make the usual ones. With no plan it is `inner`.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from prfpipe.digests import sha256_hex
from prfpipe.errors import NotFoundError, StoreError, StoreUnavailableError
from prfpipe.store import ObjectInfo, Store
from prfpipe.store.base import MAX_GET_BYTES, check_key
from prfpipe.store.files import collected, save_new, verified

_HINT = "A test did this."
PAGE = 3
"""Objects in one page of a listing that a page is missing from."""


class Fault(StrEnum):
    """What goes wrong with one call."""

    BEFORE = "an error before anything was done"
    ANSWER_LOST = "an error after it was done"
    HANG = "no answer until the deadline"
    EXPIRED = "the credentials expired"
    PARTIAL = "half is stored, then an error"
    PARTIAL_TAKEN = "half is stored and taken for all"
    DAMAGED = "something else is stored and taken for it"
    VANISHED = "stored, and gone a moment later"
    RIVAL_SAME = "another writer stored the same first"
    RIVAL_OTHER = "another writer stored something else first"
    NOT_FOUND = "says that it is not there"
    FLIPPED = "a byte is flipped on the way back"
    SHORT = "the end is missing on the way back"
    PAGE_MISSING = "a page of the listing is left out"
    PAGE_BROKEN = "a page of the listing repeats itself, which ends it"


_ANY = (Fault.BEFORE, Fault.HANG, Fault.EXPIRED)
_PUT = (
    Fault.ANSWER_LOST, Fault.PARTIAL, Fault.PARTIAL_TAKEN, Fault.DAMAGED, Fault.VANISHED, Fault.RIVAL_SAME,
    Fault.RIVAL_OTHER,
)  # fmt: skip
_READ = (Fault.NOT_FOUND, Fault.FLIPPED, Fault.SHORT)
FITTING: dict[str, tuple[Fault, ...]] = {
    "put": (*_ANY, *_PUT),
    "get": (*_ANY, *_READ),
    "download": (*_ANY, *_READ),
    "list": (*_ANY, Fault.PAGE_MISSING, Fault.PAGE_BROKEN),
    "exists": (*_ANY, Fault.NOT_FOUND),
    "delete": (*_ANY, Fault.ANSWER_LOST),
}
"""Which faults each method can have."""

Plan = Callable[[int, str, str], Fault | None]
"""The number of a call (from 1), its method and its key -> what goes wrong with it."""


def nothing(_number: int, _method: str, _key: str) -> Fault | None:
    """A plan without faults."""
    return None


def once(at: int, fault: Fault) -> Plan:
    """A fault at one call, by its number."""
    return lambda number, method, _key: fault if number == at and fault in FITTING[method] else None


def always(method: str, fault: Fault) -> Plan:
    """A fault at every call of a method."""
    return lambda _number, called, _key: fault if called == method else None


def seeded(seed: int, rate: float) -> Plan:
    """Any fault that fits, at a share of all calls."""
    rng = random.Random(seed)
    return lambda _number, method, _key: rng.choice(FITTING[method]) if rng.random() < rate else None


class FaultyStore:
    """See `Store` for the methods. `calls` lists what was asked for; `hang` is how long a hang takes, in seconds."""

    def __init__(self, inner: Store, plan: Plan = nothing, *, hang: float = 0.0) -> None:
        self.inner, self.plan, self.hang = inner, plan, hang
        self.calls: list[str] = []
        self.injected: list[Fault] = []

    def __getattr__(self, name: str) -> Any:
        # What a store can do besides the Protocol (its guarantees, retention) is the inner one's business.
        return getattr(self.inner, name)

    def put(self, key: str, data: bytes | Path, sha256: str) -> None:
        fault = self._next("put", key)
        if fault in _PLANTING:
            planted = _planted(fault, data if isinstance(data, bytes) else data.read_bytes())
            self.inner.put(key, planted, sha256_hex(planted))
        if fault is Fault.PARTIAL:
            raise _unavailable(key, "the connection broke")
        if fault in {Fault.PARTIAL_TAKEN, Fault.DAMAGED}:
            return
        self.inner.put(key, data, sha256)
        if fault is Fault.VANISHED:
            self.inner.delete(key)
        self._lose_answer(fault, key)

    def get(self, key: str, sha256: str | None = None, *, max_bytes: int = MAX_GET_BYTES) -> bytes:
        fault = self._next("get", key)
        data = _damaged(self.inner.get(key, max_bytes=max_bytes), fault)
        return collected(verified([data], key, sha256) if sha256 else [data], key, max_bytes)

    def download(self, key: str, to: Path, sha256: str, size: int) -> None:
        fault = self._next("download", key)
        if fault is None:
            self.inner.download(key, to, sha256, size)
        else:
            save_new(to, verified([_damaged(self.inner.get(key), fault)], key, sha256, size))

    def list(self, prefix: str = "", **options: Any) -> Iterator[ObjectInfo]:
        fault = self._next("list", prefix)
        found = self.inner.list(prefix, **options)
        if fault is Fault.PAGE_MISSING:
            return islice(found, PAGE, None)
        return _breaking(found, prefix) if fault is Fault.PAGE_BROKEN else found

    def exists(self, key: str) -> bool:
        fault = self._next("exists", key, missing=False)
        return fault is not Fault.NOT_FOUND and self.inner.exists(key)

    def delete(self, key: str) -> None:
        fault = self._next("delete", key)
        self.inner.delete(key)
        self._lose_answer(fault, key)

    def attempt(self, key: str, data: bytes, *, claimed_sha256: str, only_if_absent: bool) -> bool:
        return self.inner.attempt(key, data, claimed_sha256=claimed_sha256, only_if_absent=only_if_absent)

    def url(self, key: str = "") -> str:
        return self.inner.url(key)

    def _next(self, method: str, key: str, *, missing: bool = True) -> Fault | None:
        """What the plan has for this call; what needs no store happens here."""
        if key or method != "list":
            check_key(key)
        self.calls.append(f"{method} {key}")
        fault = self.plan(len(self.calls), method, key)
        if fault is None:
            return None
        self.injected.append(fault)
        if fault is Fault.HANG:
            time.sleep(self.hang)
            raise _unavailable(key, "not finished, so it was cut off")
        if fault is Fault.BEFORE:
            raise _unavailable(key, "the store answered 500")
        if fault is Fault.EXPIRED:
            raise StoreError(f"{key}: ExpiredToken", hint="Renew the credentials.")
        if fault is Fault.NOT_FOUND and missing:
            raise NotFoundError(f"{key}: no such object", hint=_HINT)
        return fault

    def _lose_answer(self, fault: Fault | None, key: str) -> None:
        if fault is Fault.ANSWER_LOST:
            raise _unavailable(key, "the connection broke")


_PLANTING = {Fault.PARTIAL, Fault.PARTIAL_TAKEN, Fault.DAMAGED, Fault.RIVAL_SAME, Fault.RIVAL_OTHER}


def _planted(fault: Fault, content: bytes) -> bytes:
    """What is stored before, or instead of, what was to be put."""
    if fault in {Fault.PARTIAL, Fault.PARTIAL_TAKEN}:
        return content[: len(content) // 2] + b"\0" * (len(content) < 2)
    return content if fault is Fault.RIVAL_SAME else content + b"!"


def _damaged(data: bytes, fault: Fault | None) -> bytes:
    if fault is Fault.FLIPPED and data:
        return bytes([data[0] ^ 1]) + data[1:]
    return data[:-1] if fault is Fault.SHORT else data


def _breaking(found: Iterator[ObjectInfo], prefix: str) -> Iterator[ObjectInfo]:
    yield from islice(found, PAGE)
    raise StoreError(f"list {prefix}: the store's listing repeats itself", hint=_HINT)


def _unavailable(key: str, what: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"{key}: {what}", hint="Run the command again: it goes on where it stopped.")


def faults_of(calls: Sequence[str]) -> Iterator[tuple[int, Fault]]:
    """Every single fault that calls, as a dry run made them, can have: the call's number and the fault."""
    for number, call in enumerate(calls, 1):
        for fault in FITTING[call.partition(" ")[0]]:
            yield number, fault
