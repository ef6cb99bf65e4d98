"""Writes that the disk takes while the runtime computes: one at a time, `begin`, then `wait`.

The kernel does it by itself where it can (io_submit(2)). A thread that waits for the disk costs two more switches and
fights for the interpreter's lock, at each write 0.1 ms of the turn that is computed meanwhile.
"""

import ctypes
import errno
import os
import sys
from mmap import mmap
from queue import SimpleQueue
from threading import Thread
from typing import Any

from gates.runtime import tail

_SYSCALLS = {
    "x86_64": {"io_setup": 206, "io_destroy": 207, "io_getevents": 208, "io_submit": 209},
    "aarch64": {"io_setup": 0, "io_destroy": 1, "io_submit": 2, "io_getevents": 4},
}
"""Numbers by machine: the C library has no functions for these calls."""
_PWRITE = 1
_ONE = ctypes.c_long(1)


class _Request(ctypes.Structure):
    """`struct iocb` of linux/aio_abi.h, on a little-endian machine."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("rw_flags", ctypes.c_int32),
        ("opcode", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("descriptor", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("at", ctypes.c_int64),
        ("reserved", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("event_descriptor", ctypes.c_uint32),
    )


class _Completion(ctypes.Structure):
    """`struct io_event` of linux/aio_abi.h."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("request", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("result2", ctypes.c_int64),
    )


class KernelWriter:
    """Asynchronous I/O of Linux (io_submit(2)); a write past the page cache returns as soon as the disk has it."""

    def __init__(self) -> None:
        """Raises `OSError`: not on this system."""
        numbers = _SYSCALLS.get(os.uname().machine) if sys.platform == "linux" else None
        if numbers is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._numbers = numbers
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        self._context = ctypes.c_ulong(0)
        self._request, self._completion = _Request(opcode=_PWRITE), _Completion()
        self._requests = (ctypes.c_void_p * 1)(ctypes.addressof(self._request))
        self._held: Any = None
        self._call("io_setup", 1, ctypes.byref(self._context))

    def begin(self, descriptor: int, buffer: mmap, at: int, size: int) -> None:
        """Give the disk the first `size` bytes of `buffer`, which nobody touches until `wait`. Raises `OSError`."""
        self._held = ctypes.c_char.from_buffer(buffer)
        request = self._request
        request.descriptor, request.at, request.size = descriptor, at, size
        request.buffer = ctypes.addressof(self._held)
        self._call("io_submit", self._context, _ONE, self._requests)

    def wait(self) -> None:
        """What was begun is on disk when this returns. Raises `OSError`: perhaps not."""
        while True:
            try:
                self._call("io_getevents", self._context, _ONE, _ONE, ctypes.byref(self._completion), None)
                break
            except InterruptedError:
                continue
        self._held = None
        self._require_whole()

    def close(self) -> None:
        """Wait for what is on its way and let go."""
        self._call("io_destroy", self._context)

    def _require_whole(self) -> None:
        written = self._completion.result
        if written < 0:
            raise OSError(-written, os.strerror(-written))
        if written != self._request.size:
            raise OSError(errno.EIO, f"only {written} of {self._request.size} bytes were written")

    def _call(self, name: str, *arguments: Any) -> None:
        if self._syscall(ctypes.c_long(self._numbers[name]), *arguments) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


class ThreadWriter:
    """A thread that waits for the disk, with the interpreter's lock given up meanwhile."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[int, mmap, int, int] | None] = SimpleQueue()
        self._answers: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="log writer", daemon=True)
        self._thread.start()

    def begin(self, descriptor: int, buffer: mmap, at: int, size: int) -> None:
        """As `KernelWriter.begin`; what fails is told by `wait`."""
        self._asked.put((descriptor, buffer, at, size))

    def wait(self) -> None:
        """As `KernelWriter.wait`."""
        if (failure := self._answers.get()) is not None:
            raise failure

    def close(self) -> None:
        """End the thread."""
        self._asked.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (asked := self._asked.get()) is not None:
            self._answers.put(_failure(asked))


def writer() -> KernelWriter | ThreadWriter:
    """The kernel's where there is one: not on every system, nor in every sandbox."""
    try:
        return KernelWriter()
    except OSError:
        return ThreadWriter()


def _failure(asked: tuple[int, mmap, int, int]) -> BaseException | None:
    try:
        tail.write(*asked)
    except BaseException as error:  # noqa: BLE001 (whatever it is, the one who waits has to hear of it)
        return error
    return None
