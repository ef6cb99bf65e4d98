"""The audit log: records chained by sha256, on disk before what they tell of is released.

The file begins with a head of `HEAD_BYTES` that says how many records and bytes there are, the digest of the last
record and the policy epoch, sealed by HMAC-SHA256 with a key of this machine. A record is a line: the digest of the
digest before it and its own text, then that text, the events of one turn as JSON. A flush appends records, replaces
the head, and waits for the disk once; the caller may compute meanwhile (`begin`, `settle`), but a flush is written only
when the one before is on disk. What stands behind the sealed length was never released: a crash left it there.
Zeros stand there as well: room that is written ahead, since a flush into room that is there does not wait for the file
system's journal.

Whoever can write the log but has no key cannot change, cut or reorder it unnoticed. Who can also put back an older
file as a whole is noticed only by a copy of the head that is kept elsewhere (`AuditLog.head`).
"""

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from gates.runtime.errors import AuditError

if TYPE_CHECKING:
    from gates.runtime.flusher import Flusher

HEAD_BYTES = 512
"""One sector of a disk, which is written as a whole or not at all."""
ROOM_BYTES = 1 << 20
"""Room that is written ahead at a time."""
_DIGITS = 64
_sync = getattr(os, "fdatasync", os.fsync)


class Head(NamedTuple):
    """What is sealed: number of records, bytes of the file, digest of the last record (hex), policy epoch."""

    records: int
    bytes: int
    digest: str
    epoch: int


class AuditLog:
    """The log of one runtime; another one that wants the same file is refused."""

    def __init__(self, descriptor: int, key: bytes, head: Head) -> None:
        self._descriptor, self.head = descriptor, head
        self._mac = _mac(key)
        self._digest = bytes.fromhex(head.digest)
        self._pending: list[bytes] = []
        self._room = head.bytes
        self._in_flight: Head | None = None
        self._flusher: Flusher | None = None
        self._broken = False
        self.dropped = 0
        """Bytes of records that a crash had cut short, or that were never released, when the log was opened."""

    @classmethod
    def create(cls, path: Path, key: bytes, epoch: int) -> None:
        """An empty log. Raises `AuditError`: there is one."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise AuditError(f"{path}: there is a log already") from error
        os.write(descriptor, _sealed(Head(0, HEAD_BYTES, hashlib.sha256(key).hexdigest(), epoch), _mac(key)))
        os.fsync(descriptor)
        os.close(descriptor)

    @classmethod
    def open(cls, path: Path, key: bytes) -> Self:
        """Verify the log from its first record to its last and go on behind it.

        Raises:
            AuditError: it is not there, in use, or not as this machine has left it.
        """
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError as error:
            raise AuditError(f"{path}: the audit log cannot be opened: {error.strerror}") from error
        try:
            return cls._opened(descriptor, key, path)
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def _opened(cls, descriptor: int, key: bytes, path: Path) -> Self:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AuditError(f"{path}: another runtime writes this log") from error
        data = path.read_bytes()
        head = verified(data, key)
        log = cls(descriptor, key, head)
        os.ftruncate(descriptor, head.bytes)
        if rest := data[head.bytes :].rstrip(b"\0"):
            log.dropped = len(rest)
            log.record({"event": "recovered", "bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()})
            log.flush()
        return log

    def record(self, *events: Mapping[str, Any]) -> None:
        """Add one record of all these events to the chain; it is on disk after the next `flush`."""
        text = orjson.dumps(events)
        digest = hashlib.sha256(self._digest + text)
        self._digest = digest.digest()
        self._pending.append(b"%s %s\n" % (digest.hexdigest().encode("ascii"), text))

    def flush(self, epoch: int | None = None) -> None:
        """Everything recorded is on disk when this returns; `epoch` seals another policy epoch.

        Raises:
            AuditError: it is not, and this log takes nothing more.
        """
        if (head := self._written(epoch)) is not None:
            try:
                self._sync()
            except OSError as error:
                raise _lost(error) from error
            self._broken, self.head = False, head

    def begin(self, epoch: int | None = None) -> None:
        """As `flush`, but return while the disk is busy: nothing of it may be released before `settle` has returned.

        What was begun before is settled first. Raises `AuditError`; see `flush`.
        """
        if (head := self._written(epoch)) is not None:
            if self._flusher is None:
                from gates.runtime.flusher import Flusher

                self._flusher = Flusher(self._sync)
            self._flusher.begin()
            self._in_flight = head

    def settle(self) -> None:
        """What `begin` has begun is on disk when this returns.

        Raises:
            AuditError: it is not, or something before it was not: nothing may be released any more.
        """
        if self._in_flight is not None and self._flusher is not None:
            failure = self._flusher.wait()
            head, self._in_flight = self._in_flight, None
            if failure is not None:
                raise _lost(failure) from failure
            self._broken, self.head = False, head
        elif self._broken:
            raise AuditError("the audit log could not be written before: nothing is released any more")

    def close(self) -> None:
        """Flush and let go of the file; calling it again does nothing."""
        if self._descriptor < 0:
            return
        try:
            if self._in_flight is not None:
                self.settle()
            if not self._broken:
                self.flush()
                os.ftruncate(self._descriptor, self.head.bytes)
        finally:
            if self._flusher is not None:
                self._flusher.close()
            os.close(self._descriptor)
            self._descriptor = -1
            self._broken = True

    def _written(self, epoch: int | None) -> Head | None:
        """Write what is pending and the head that seals it; until the sync the log is broken. None: nothing to do."""
        self.settle()
        epoch = self.head.epoch if epoch is None else epoch
        if not self._pending and epoch == self.head.epoch:
            return None
        data = b"".join(self._pending)
        records, end = self.head.records + len(self._pending), self.head.bytes + len(data)
        head = Head(records, end, self._digest.hex(), epoch)
        self._broken = True
        try:
            self._write(data, head)
        except OSError as error:
            raise _lost(error) from error
        self._pending = []
        return head

    def _write(self, data: bytes, head: Head) -> None:
        if head.bytes > self._room:
            self._room = head.bytes + ROOM_BYTES
            _write(self._descriptor, bytes(self._room - self.head.bytes), self.head.bytes)
        _write(self._descriptor, data, self.head.bytes)
        _write(self._descriptor, _sealed(head, self._mac), 0)

    def _sync(self) -> None:
        _sync(self._descriptor)


def verified(data: bytes, key: bytes) -> Head:
    """The head of a log whose every sealed record is in its place.

    Raises:
        AuditError: what is wrong, and from which record on.
    """
    head = _head(data[:HEAD_BYTES], key)
    if len(data) < head.bytes:
        raise AuditError(f"the audit log was cut: {head.bytes - len(data)} bytes are missing")
    digest = hashlib.sha256(key).digest()
    lines = data[HEAD_BYTES : head.bytes].splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        digest = hashlib.sha256(digest + line[_DIGITS + 1 : -1]).digest()
        if line[: _DIGITS + 1] != digest.hex().encode("ascii") + b" " or line[-1:] != b"\n":
            raise AuditError(f"the audit log was changed: record {number} does not follow from those before it")
    if len(lines) != head.records or digest.hex() != head.digest:
        raise AuditError(f"the audit log was changed: {head.records} records are sealed, {len(lines)} are there")
    return head


def events(data: bytes, key: bytes) -> list[dict[str, Any]]:
    """The events of all sealed records of a log, in order. Raises `AuditError`; see `verified`."""
    lines = data[HEAD_BYTES : verified(data, key).bytes].splitlines()
    return [event for line in lines for event in json.loads(line[_DIGITS + 1 :])]


def _lost(failure: BaseException) -> AuditError:
    text = failure.strerror if isinstance(failure, OSError) else str(failure)
    return AuditError(f"the audit log cannot be written: {text}")


def _mac(key: bytes) -> hmac.HMAC:
    """Made once for a key: each seal begins with a copy."""
    return hmac.new(key, digestmod="sha256")


def _seal(text: bytes, mac: hmac.HMAC) -> bytes:
    own = mac.copy()
    own.update(text)
    return own.hexdigest().encode("ascii")


def _sealed(head: Head, mac: hmac.HMAC) -> bytes:
    text = b'[%d,%d,"%b",%d]' % (head.records, head.bytes, head.digest.encode("ascii"), head.epoch)
    return (text + b" " + _seal(text, mac)).ljust(HEAD_BYTES - 1) + b"\n"


def _head(line: bytes, key: bytes) -> Head:
    text, _, seal = line.rstrip().partition(b" ")
    if len(line) != HEAD_BYTES or not hmac.compare_digest(seal, _seal(text, _mac(key))):
        raise AuditError("the head of the audit log is not the one that this machine has sealed")
    return Head(*json.loads(text))


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written
