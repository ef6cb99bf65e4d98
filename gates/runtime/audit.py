"""The audit log: records chained by HMAC-SHA256, on disk before what they tell of is released.

A record is a line: the MAC of the line before it and of its own text, by a key of this machine; then that text, the
policy epoch and the events of one turn as JSON. A flush is one write at the end of the log; the caller may compute
meanwhile (`begin`, `settle`), but a flush begins only when the one before is on disk.

The head is a file beside the log (`audit.head`): how many records and bytes were released, the MAC of the last and the
epoch, sealed by another key of this machine. It is set when a flush is on disk and before its results are released, so
a log that was cut is shorter than its head says. What stands behind the head was never released: whole records are
true and stay, a torn one is dropped and told of. Zeros are room that is written ahead.

Whoever can write both files but has no key cannot change, cut or reorder the log unnoticed. Who can also put back older
files as a whole is noticed only by a copy of the head that is kept elsewhere (`AuditLog.head`).
"""

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from mmap import mmap
from pathlib import Path
from typing import Any, NamedTuple, Self

from gates.runtime.errors import AuditError
from gates.runtime.tail import BLOCK, Tail, open_log

HEAD_BYTES = 512
"""One sector of a disk, which is written as a whole or not at all."""
_DIGITS = 64
_START = "00" * 32


class Head(NamedTuple):
    """Where a log ends: number of records, bytes, MAC of the last record (hex), policy epoch."""

    records: int
    bytes: int
    mac: str
    epoch: int


class AuditLog:
    """The log of one runtime; another one that wants the same file is refused."""

    def __init__(self, descriptor: int, tail: Tail, seal: mmap, key: bytes, head: Head) -> None:
        self._descriptor, self._tail, self._seal, self.head = descriptor, tail, seal, head
        self._record_mac, self._head_mac = _mac(key, b"record"), _mac(key, b"head")
        self._pending: list[tuple[bytes, ...]] = []
        self._in_flight: Head | None = None
        self._broken = False
        self.dropped = 0
        """Bytes of a record that a crash had cut short, when the log was opened."""

    @classmethod
    def create(cls, path: Path, key: bytes, epoch: int) -> None:
        """An empty log and its head. Raises `AuditError`: there is one."""
        for file, content in ((path, b""), (head_of(path), _sealed(Head(0, 0, _START, epoch), _mac(key, b"head")))):
            try:
                descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError as error:
                raise AuditError(f"{file}: there is a log already") from error
            os.write(descriptor, content)
            os.fsync(descriptor)
            os.close(descriptor)

    @classmethod
    def open(cls, path: Path, key: bytes) -> Self:
        """Verify the log from its first record to its last and go on behind it.

        Raises:
            AuditError: it is not there, in use, or not as this machine has left it.
        """
        try:
            descriptor = open_log(path)
        except OSError as error:
            raise AuditError(f"{path}: the audit log cannot be opened: {error.strerror}") from error
        try:
            return cls._opened(descriptor, path, key)
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def _opened(cls, descriptor: int, path: Path, key: bytes) -> Self:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AuditError(f"{path}: another runtime writes this log") from error
        head, data = verified(path, key)
        tail = Tail(descriptor, head.bytes, data[head.bytes - head.bytes % BLOCK : head.bytes])
        try:
            with head_of(path).open("r+b") as file:
                log = cls(descriptor, tail, mmap(file.fileno(), HEAD_BYTES), key, head)
            log._recover(data[head.bytes :].rstrip(b"\0"))
            tail.cut()
        except OSError as error:
            raise _lost(error) from error
        return log

    def _recover(self, rest: bytes) -> None:
        """Tell of a record that a crash had cut short, before what is left of it is dropped."""
        if rest:
            self.dropped = len(rest)
            event = {"event": "recovered", "bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()}
            self.record(json.dumps(event).encode("ascii"))
            self.flush()

    def record(self, *events: bytes) -> None:
        """Add one record of all these events, each JSON; it is on disk after the next `flush`."""
        self._pending.append(events)

    def flush(self, epoch: int | None = None) -> None:
        """Everything recorded is on disk when this returns; `epoch` puts another policy epoch on record.

        Raises:
            AuditError: it is not, and this log takes nothing more.
        """
        if (head := self._put(epoch)) is not None:
            try:
                self._tail.sync()
            except OSError as error:
                raise _lost(error) from error
            self._arrived(head)

    def begin(self, epoch: int | None = None) -> None:
        """As `flush`, but return while the disk is busy: nothing of it may be released before `settle` has returned.

        What was begun before is settled first. Raises `AuditError`; see `flush`.
        """
        if (head := self._put(epoch)) is not None:
            try:
                self._tail.begin()
            except OSError as error:
                raise _lost(error) from error
            self._in_flight = head

    def settle(self) -> None:
        """What `begin` has begun is on disk when this returns.

        Raises:
            AuditError: it is not, or something before it was not: nothing may be released any more.
        """
        if self._in_flight is not None:
            head, self._in_flight = self._in_flight, None
            try:
                self._tail.wait()
            except OSError as error:
                raise _lost(error) from error
            self._arrived(head)
        elif self._descriptor < 0:
            raise AuditError("the audit log is closed: nothing is released any more")
        elif self._broken:
            raise AuditError("the audit log could not be written before: nothing is released any more")

    def close(self) -> None:
        """Flush and let go of the files; calling it again does nothing."""
        if self._descriptor < 0:
            return
        try:
            if self._in_flight is not None:
                self.settle()
            if not self._broken:
                self.flush()
                self._seal.flush()
                self._tail.cut()
        finally:
            self._tail.close()
            self._seal.close()
            os.close(self._descriptor)
            self._descriptor = -1
            self._broken = True

    def _put(self, epoch: int | None) -> Head | None:
        """Chain what is pending and give it to the tail; until the sync the log is broken. None: nothing to do."""
        self.settle()
        epoch = self.head.epoch if epoch is None else epoch
        if not self._pending:
            if epoch == self.head.epoch:
                return None
            self.record()
        head, pieces = self.head, list[bytes]()
        for events in self._pending:
            # In pieces: each copy of a large record takes a place in the processor's caches from who computes next.
            text = _text(epoch, events)
            mac = _digest(self._record_mac, bytes.fromhex(head.mac), *text)
            line = (mac.encode("ascii"), b" ", *text, b"\n")
            pieces += line
            head = Head(head.records + 1, head.bytes + sum(map(len, line)), mac, epoch)
        self._pending = []
        self._broken = True
        self._tail.put(pieces)
        return head

    def _arrived(self, head: Head) -> None:
        self._seal[:] = _sealed(head, self._head_mac)
        self._broken, self.head = False, head


def head_of(path: Path) -> Path:
    """The file with the head of a log."""
    return path.with_suffix(".head")


def verified(path: Path, key: bytes) -> tuple[Head, bytes]:
    """Where the log ends, with its bytes: every released record is in its place; those behind them are whole.

    Raises:
        AuditError: what is wrong, and from which record on.
    """
    try:
        head = _head(head_of(path).read_bytes(), key)
    except OSError as error:
        raise AuditError(f"{head_of(path)}: the head of the audit log cannot be read: {error.strerror}") from error
    data = path.read_bytes()
    end = released = Head(0, 0, _START, head.epoch)
    for end in _records(data, key):
        if end.bytes <= head.bytes:
            released = end
    if len(data) < head.bytes:
        raise AuditError(f"the audit log was cut: {head.bytes - len(data)} bytes are missing")
    if released[:3] != head[:3]:
        raise AuditError(f"the audit log was changed: record {released.records + 1} does not follow from those before")
    return end._replace(epoch=max(end.epoch, head.epoch)), data


def events(path: Path, key: bytes) -> list[dict[str, Any]]:
    """The events of all records of a log, in order. Raises `AuditError`; see `verified`."""
    head, data = verified(path, key)
    lines = data[: head.bytes].splitlines()
    return [event for line in lines for event in json.loads(line.split(b" ", 2)[2])]


def _records(data: bytes, key: bytes) -> Iterator[Head]:
    """The end of each record, as long as they follow from each other."""
    mac, keyed, begin = _START, _mac(key, b"record"), 0
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        text = line[_DIGITS + 1 : -1]
        mac = _digest(keyed, bytes.fromhex(mac) + text)
        if line[: _DIGITS + 1] != mac.encode("ascii") + b" " or line[-1:] != b"\n":
            return
        begin += len(line)
        yield Head(number, begin, mac, int(text.split(b" ", 1)[0]))


def _lost(failure: OSError) -> AuditError:
    return AuditError(f"the audit log cannot be written: {failure.strerror}")


def _mac(key: bytes, purpose: bytes) -> hmac.HMAC:
    """Keyed once for a purpose: each MAC begins with a copy, and none for one purpose is one for another."""
    return hmac.new(hmac.digest(key, purpose, "sha256"), digestmod="sha256")


def _text(epoch: int, events: Sequence[bytes]) -> tuple[bytes, ...]:
    """The text of a record, which its MAC is about, in pieces."""
    pieces = [piece for event in events for piece in (b",", event)]
    return (b"%d [" % epoch, *pieces[1:], b"]")


def _digest(keyed: hmac.HMAC, *text: bytes) -> str:
    own = keyed.copy()
    for piece in text:
        own.update(piece)
    return own.hexdigest()


def _sealed(head: Head, keyed: hmac.HMAC) -> bytes:
    text = b'[%d,%d,"%b",%d]' % (head.records, head.bytes, head.mac.encode("ascii"), head.epoch)
    return (text + b" " + _digest(keyed, text).encode("ascii")).ljust(HEAD_BYTES - 1) + b"\n"


def _head(line: bytes, key: bytes) -> Head:
    text, _, seal = line.rstrip().partition(b" ")
    expected = _digest(_mac(key, b"head"), text).encode("ascii")
    if len(line) != HEAD_BYTES or not hmac.compare_digest(seal, expected):
        raise AuditError("the head of the audit log is not the one that this machine has sealed")
    return Head(*json.loads(text))
