"""Local bytes on their way into a store and out of it: hashed, bounded, never through a symbolic link."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from prfpipe.digests import sha256_hex
from prfpipe.errors import IntegrityError, NotFoundError, StoreError

CHUNK_BYTES = 1024 * 1024

# Without O_NONBLOCK, opening a planted FIFO would wait for ever.
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be put: bytes or a local file whose content was checked against its digest."""

    data: bytes | Path
    sha256: str
    size: int

    @classmethod
    def checked(cls, data: bytes | Path, sha256: str) -> "Source":
        """Take `data` if it has this sha256.

        Raises:
            IntegrityError: it has another one.
            StoreError: the file cannot be read, or is not a regular file.
        """
        actual, size = (sha256_hex(data), len(data)) if isinstance(data, bytes) else _measure(data)
        if actual != sha256:
            name = "the data" if isinstance(data, bytes) else str(data)
            raise IntegrityError(
                f"{name} has sha256 {actual}, not {sha256}",
                hint="It changed after its digest was taken, and was not stored. Evaluate again.",
            )
        return cls(data, sha256, size)

    def open(self) -> BinaryIO:
        """A fresh stream over the bytes."""
        return BytesIO(self.data) if isinstance(self.data, bytes) else open_regular(self.data)


def open_regular(path: str | Path, folder: int | None = None) -> BinaryIO:
    """Open a regular file for reading, relative to the folder descriptor if given.

    Raises:
        StoreError: it is a link, a device, a pipe or a folder.
        OSError: it cannot be opened.
    """
    stream = os.fdopen(os.open(path, READ_FLAGS, dir_fd=folder), "rb")
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise StoreError(f"{path} is not a regular file", hint="Remove it: the store keeps regular files only.")


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """What is left in `stream`, a mebibyte at a time."""
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def write_all(descriptor: int, chunks: Iterable[bytes]) -> None:
    """Write everything, however little the system takes at a time, and make it durable."""
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def verified(chunks: Iterable[bytes], what: str, sha256: str, size: int | None = None) -> Iterator[bytes]:
    """Pass chunks on, and raise at their end, or as soon as they are too many, if they are not as expected.

    Raises:
        IntegrityError: another length in bytes than `size`, or another sha256.
    """
    digest, seen = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        seen += len(chunk)
        if size is not None and seen > size:
            raise not_as_put(what, f"more than {size} bytes came back")
        yield chunk
    if size is not None and seen != size:
        raise not_as_put(what, f"{seen} of {size} bytes came back")
    if digest.hexdigest() != sha256:
        raise not_as_put(what, f"sha256 {digest.hexdigest()} came back, not {sha256}")


def consume(chunks: Iterable[bytes]) -> None:
    """Take all chunks and keep none: for what they raise."""
    for _ in chunks:
        pass


def not_as_put(what: str, difference: str) -> IntegrityError:
    """The error for stored bytes that are not what was put."""
    return IntegrityError(
        f"{what}: {difference}",
        hint="The store, the way to it or another writer changed the bytes: do not use them as evidence. "
        "`prfpipe store probe` tells what the store guarantees.",
    )


def collected(chunks: Iterable[bytes], what: str, max_bytes: int) -> bytes:
    """All chunks as one, at most `max_bytes` of them.

    Raises:
        IntegrityError: there are more.
    """
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > max_bytes:
            raise not_as_put(what, f"more than {max_bytes} bytes came back")
    return bytes(data)


def save_new(to: Path, chunks: Iterable[bytes]) -> None:
    """Write chunks to a file that must not exist yet, and remove it again if anything goes wrong."""
    with os_errors(str(to)):
        descriptor = os.open(to, CREATE_FLAGS, 0o644)
        try:
            write_all(descriptor, chunks)
        except BaseException:
            to.unlink()
            raise
        finally:
            os.close(descriptor)


@contextmanager
def os_errors(what: str) -> Iterator[None]:
    """Turn what the operating system refuses into a `StoreError` that says what to do."""
    try:
        yield
    except OSError as error:
        kind = NotFoundError if error.errno == errno.ENOENT else StoreError
        reason = error.strerror or type(error).__name__
        raise kind(f"{what}: {reason}", hint=_HINTS.get(error.errno or 0, _OTHER_HINT)) from error


def _measure(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with os_errors(str(path)), open_regular(path) as stream:
        for chunk in chunks_of(stream):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


_SPACE = "Free some space and run the command again: it goes on where it stopped."
_ACCESS = (
    "Check who may write there and whether the file system is mounted read-only; the store also needs hard "
    "links, which FAT file systems do not have."
)
_LINK = "A symbolic link or a file stands where a folder is needed, or the other way round: move it away."
_OTHER_HINT = "The disk or the network file system failed: check it (`dmesg`), then run the command again."
_HINTS = {
    errno.ENOENT: "Check the name; `prfpipe bundles` lists what the store has.",
    errno.EEXIST: "Choose a name that does not exist yet: nothing is ever overwritten.",
    errno.ENOTEMPTY: "Name a folder that does not exist yet: nothing is ever overwritten.",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: _ACCESS,
    errno.EOPNOTSUPP: _ACCESS,
    errno.ELOOP: _LINK,
    errno.ENOTDIR: _LINK,
    errno.EISDIR: _LINK,
    errno.EMFILE: "Too many files are open: raise `ulimit -n`, then run the command again.",
    errno.ENFILE: "The machine has too many open files: close other work, then run the command again.",
}
