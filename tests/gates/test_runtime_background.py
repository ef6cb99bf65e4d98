"""Writes that the disk takes while the runtime computes: every writer does the same, and tells what failed."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path

import pytest

from gates.runtime import background
from gates.runtime.background import KernelWriter, ThreadWriter
from gates.runtime.tail import BLOCK, open_log

Writer = KernelWriter | ThreadWriter


@pytest.fixture(params=[KernelWriter, ThreadWriter])
def writer(request: pytest.FixtureRequest) -> Iterator[Writer]:
    made: Writer = request.param()
    yield made
    made.close()


def filled(byte: bytes, blocks: int = 1) -> mmap:
    """Whole blocks of one byte, placed as writes past the page cache want them."""
    buffer = mmap(-1, blocks * BLOCK)
    buffer[:] = byte * len(buffer)
    return buffer


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file of this process may be larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_each_write_is_in_the_file_at_its_place_when_it_was_waited_for(writer: Writer, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    descriptor = open_log(tmp_path / "log")
    for number, byte in enumerate((b"a", b"b", b"c")):
        writer.begin(descriptor, filled(byte, 2), number * BLOCK, BLOCK)
        writer.wait()
    os.close(descriptor)
    assert (tmp_path / "log").read_bytes() == b"a" * BLOCK + b"b" * BLOCK + b"c" * BLOCK


def test_a_buffer_may_be_let_go_of_while_the_disk_takes_it(writer: Writer, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    descriptor = open_log(tmp_path / "log")
    writer.begin(descriptor, filled(b"a", 64), 0, 64 * BLOCK)
    filled(b"b", 64)
    writer.wait()
    os.close(descriptor)
    assert (tmp_path / "log").read_bytes() == b"a" * 64 * BLOCK


def test_a_file_that_must_not_grow_is_told(writer: Writer, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    descriptor = open_log(tmp_path / "log")
    with pytest.raises(OSError, match="File too large"), at_most(0):  # noqa: PT012 (either step may tell)
        writer.begin(descriptor, filled(b"a"), 0, BLOCK)
        writer.wait()
    os.close(descriptor)


def test_a_file_that_cannot_be_written_is_told(writer: Writer, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    descriptor = os.open(tmp_path / "log", os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):  # noqa: PT012 (either step may tell)
        writer.begin(descriptor, filled(b"a"), 0, BLOCK)
        writer.wait()
    os.close(descriptor)


def test_a_write_that_stopped_short_is_a_failure(tmp_path: Path) -> None:
    """The thread writes the rest; of the kernel's calls one is waited for, and a log has no use for half a record."""
    (tmp_path / "log").touch()
    descriptor = os.open(tmp_path / "log", os.O_WRONLY)
    writer = KernelWriter()
    with pytest.raises(OSError, match=f"only {BLOCK} of {2 * BLOCK} bytes"), at_most(BLOCK):  # noqa: PT012
        writer.begin(descriptor, filled(b"a", 2), 0, 2 * BLOCK)
        writer.wait()
    writer.close()
    os.close(descriptor)


def test_where_the_kernel_has_no_such_calls_a_thread_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(background.writer(), KernelWriter)
    monkeypatch.setattr(background, "_SYSCALLS", {})
    found = background.writer()
    assert isinstance(found, ThreadWriter)
    found.close()


def test_a_sandbox_that_forbids_the_calls_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(KernelWriter, "_call", forbidden)
    found = background.writer()
    assert isinstance(found, ThreadWriter)
    found.close()
