"""The end of a file that only grows: what is put there is on disk when `sync`, or `begin` and `wait`, have returned.

One write does it (`O_DSYNC`), past the page cache where the file system can (`O_DIRECT`), so that a flush costs as few
cycles as it can: pages that become dirty, are looked for, written and waited for cost as much again as the write.
The block that the end is in is written again with each flush, with the same bytes before that end, as a page would be.
Room is written ahead, zeros, since a write into room that is there does not wait for the file system's journal; it is
written behind what is on disk already, so that no kill and no full disk can leave zeros where records were. A megabyte
of it takes as long as ten records: whoever writes without waiting does not wait for room, either.
"""

import errno
import os
from collections.abc import Sequence
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gates.runtime.background import KernelWriter, ThreadWriter

BLOCK = 4096
"""Bytes that are written as a whole: what disks and file systems want for writes past the page cache."""
FIRST_ROOM_BYTES, ROOM_BYTES = 1 << 16, 1 << 20
"""Room that is written ahead at a time: first little, since a start waits for it."""


def open_log(path: Path) -> int:
    """A descriptor for `Tail`. Raises `OSError`."""
    flags = os.O_RDWR | os.O_DSYNC
    try:
        return os.open(path, flags | getattr(os, "O_DIRECT", 0))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags)


class Tail:
    """Where a file ends now; `put`, then `sync`, or `begin` and `wait` with other work between them, but no `put`."""

    def __init__(self, descriptor: int, end: int, last_block: bytes) -> None:
        """`end`: bytes of the file; `last_block`: those from the last multiple of `BLOCK` to the end."""
        self._descriptor, self._end, self._room, self._ahead = descriptor, end, end, FIRST_ROOM_BYTES
        self._buffer = mmap(-1, 4 * BLOCK)
        self._buffer[: len(last_block)] = last_block
        self._filled = len(last_block)
        self._writer: KernelWriter | ThreadWriter | None = None
        self._zeros: mmap | None = None
        self._makes_room = False

    def put(self, pieces: Sequence[bytes]) -> None:
        """Take what the next `sync` appends."""
        begin, self._filled = self._filled, self._filled + sum(map(len, pieces))
        whole = _blocks(self._filled)
        if whole > len(self._buffer):
            larger = mmap(-1, 2 * whole)
            larger[:begin] = self._buffer[:begin]
            self._buffer = larger
        for piece in pieces:
            end = begin + len(piece)
            self._buffer[begin:end] = piece
            begin = end
        self._buffer[begin:whole] = bytes(whole - begin)

    def sync(self) -> None:
        """What was put is on disk when this returns. Raises `OSError`: perhaps not, and nothing may be put any more."""
        self._settle_room()
        begin, size = self._place()
        write(self._descriptor, self._buffer, begin, size)
        self._go_on(size)

    def begin(self) -> None:
        """Give what was put to the disk; `wait` says when it is there. Raises `OSError`; see `sync`."""
        if self._writer is None:
            from gates.runtime.background import writer

            self._writer = writer()
        self._settle_room()
        begin, size = self._place()
        self._writer.begin(self._descriptor, self._buffer, begin, size)

    def wait(self) -> None:
        """What was begun is on disk when this returns. Raises `OSError`; see `sync`."""
        if self._writer is not None:
            self._writer.wait()
            self._go_on(_blocks(self._filled))

    def cut(self) -> None:
        """Drop what stands behind the end, room too. Raises `OSError`."""
        self._settle_room()
        os.ftruncate(self._descriptor, self._end)
        self._room = self._end

    def close(self) -> None:
        """Let go of what `begin` needs."""
        self._makes_room = False
        if self._writer is not None:
            self._writer.close()

    def _place(self) -> tuple[int, int]:
        """Where what was put goes and how many bytes are written there."""
        begin = self._end - self._end % BLOCK
        self._end = begin + self._filled
        return begin, _blocks(self._filled)

    def _go_on(self, written: int) -> None:
        """The block that the end is in is the first of the next write; there is room for one as large as this."""
        self._filled %= BLOCK
        if written > BLOCK:
            self._buffer[:BLOCK] = self._buffer[written - BLOCK : written]
        if self._end + written > self._room:
            self._make_room()

    def _make_room(self) -> None:
        behind, size = max(self._room, _blocks(self._end)), self._ahead
        if self._writer is None:
            write(self._descriptor, mmap(-1, size), behind)
        else:
            if self._zeros is None or len(self._zeros) < size:
                self._zeros = mmap(-1, size)
            self._lengthen(behind, size)
            self._writer.begin(self._descriptor, self._zeros, behind, size)
            self._makes_room = True
        self._room, self._ahead = behind + size, ROOM_BYTES

    def _lengthen(self, behind: int, size: int) -> None:
        """The kernel waits for a write that makes a file longer, and for no other; where this cannot be, it waits."""
        if hasattr(os, "posix_fallocate"):  # not on macOS
            try:
                os.posix_fallocate(self._descriptor, behind, size)
            except OSError as error:
                # A file system without it, for which the C library writes a byte here and there: not past the cache.
                if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
                    raise

    def _settle_room(self) -> None:
        if self._makes_room and self._writer is not None:
            self._makes_room = False
            self._writer.wait()


def write(descriptor: int, buffer: mmap, at: int, size: int | None = None) -> None:
    """Write the first `size` bytes of `buffer`, by default all, at a place of the file. Raises `OSError`."""
    with memoryview(buffer) as whole, whole[:size] as view:
        done = 0
        while done < len(view):
            with view[done:] as rest:
                done += os.pwrite(descriptor, rest, at + done)


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
