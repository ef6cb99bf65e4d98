"""What can go wrong in a folder."""

import errno
import fcntl
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prfpipe.digests import sha256_hex
from prfpipe.errors import AlreadyExistsError, IntegrityError, StoreError
from prfpipe.store import Store, open_store
from prfpipe.store.base import Unfinished

DATA = b"data" * 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    return open_store(str(root))


def put(store: Store, key: str = "folder/object", data: bytes = DATA) -> None:
    store.put(key, data, sha256_hex(data))


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


class Failing:
    """Stands for a function of `os` and fails with `code` from its call number `first` on, `times` times."""

    def __init__(self, function: str, code: int, first: int = 1, times: int = 1000) -> None:
        self.real = getattr(os, function)
        self.code = code
        self.fails = range(first, first + times)
        self.calls = 0

    def __call__(self, *args: object, **options: object) -> object:
        self.calls += 1
        if self.calls in self.fails:
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*args, **options)


@pytest.mark.parametrize(
    ("function", "code", "words", "hint"),
    [
        ("write", errno.ENOSPC, "No space left", "Free some space"),
        ("write", errno.EDQUOT, "quota", "Free some space"),
        ("write", errno.EIO, "Input/output error", "dmesg"),
        ("fsync", errno.EIO, "Input/output error", "dmesg"),
        ("open", errno.EMFILE, "Too many open files", "ulimit"),
        ("mkdir", errno.EROFS, "Read-only file system", "read-only"),
        ("mkdir", errno.EACCES, "Permission denied", "who may write"),
        ("link", errno.EPERM, "not permitted", "hard links"),
        ("link", errno.EIO, "Input/output error", "dmesg"),
    ],
)
def test_a_failing_disk_is_a_clear_error_and_the_next_put_succeeds(
    store: Store,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    code: int,
    words: str,
    hint: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, function, Failing(function, code))
        with pytest.raises(StoreError, match=words) as caught:
            put(store)
        assert hint in caught.value.hint
    assert not root.exists() or files(root) == []
    put(store)
    assert files(root) == ["folder/object"]


def test_every_fsync_that_fails_leaves_no_name_behind(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "folder/first")
    counting = Failing("fsync", errno.EIO, first=1000)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", counting)
        put(store, "folder/counted")
    assert counting.calls == 2, "the file, then its folder"
    for number in range(1, counting.calls + 1):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", Failing("fsync", errno.EIO, first=number, times=1))
            with pytest.raises(StoreError, match="Input/output"):
                put(store, "folder/other")
        assert files(root) == ["folder/counted", "folder/first"]


def test_same_content_again_is_made_durable(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store)
    counting = Failing("fsync", errno.EIO, first=1000)
    monkeypatch.setattr(os, "fsync", counting)
    put(store)
    assert counting.calls == 3, "the temporary file, the file that was there, and its folder"


def test_the_system_may_take_a_few_bytes_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    put(store)
    assert store.get("folder/object") == DATA


def test_bytes_damaged_on_their_way_to_the_disk_get_no_name(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(len(data))))
    with pytest.raises(IntegrityError, match="came back"):
        put(store)
    assert files(root) == []


def test_a_crash_before_the_name_leaves_nothing_that_counts(store: Store, root: Path) -> None:
    (root / "folder").mkdir(parents=True)
    (root / "folder" / ".incoming-0123456789abcdef").write_bytes(DATA[:10])
    assert list(store.list()) == []
    put(store)
    assert [info.key for info in store.list()] == ["folder/object"]


def test_nobody_can_take_a_file_of_a_dead_writer_while_it_is_removed(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was made a moment ago and is not locked yet looks dead too: its writer has to see that it is gone."""
    put(store)
    dead = root / "folder" / ".incoming-0123456789abcdef"
    dead.write_bytes(DATA[:10])
    unlink, locked = os.unlink, list[bool]()

    def watched(name: str, **options: int) -> None:
        if name == dead.name:
            with dead.open("rb") as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked.append(True)
        unlink(name, **options)

    monkeypatch.setattr(os, "unlink", watched)
    put(store, "folder/another")
    assert locked == [True]
    assert not dead.exists()


def test_a_download_onto_a_full_disk_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    monkeypatch.setattr(os, "write", Failing("write", errno.ENOSPC))
    with pytest.raises(StoreError, match="No space left"):
        store.download("folder/object", tmp_path / "copy", sha256_hex(DATA), len(DATA))
    assert not (tmp_path / "copy").exists()


def test_a_planted_link_is_neither_read_nor_written_through(store: Store, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "object").write_bytes(DATA)
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "link").symlink_to(outside / "object")
    (root / "dangling").symlink_to(outside / "new")
    for key in ("folder/object", "folder/new", "link", "dangling"):
        with pytest.raises(StoreError, match=r"link|directory"):
            put(store, key)
        with pytest.raises(StoreError, match=r"link|directory"):
            store.get(key)
    assert sorted(path.name for path in outside.iterdir()) == ["object"]
    assert list(store.list()) == []
    assert not store.exists("link")


def test_a_planted_pipe_does_not_hang(store: Store, root: Path) -> None:
    root.mkdir()
    os.mkfifo(root / "pipe")
    with pytest.raises(StoreError, match="not a regular file"):
        store.get("pipe")
    with pytest.raises(StoreError, match="not a regular file"):
        put(store, "pipe")
    assert list(store.list()) == []


def test_a_file_where_a_folder_should_be_is_named(store: Store, root: Path) -> None:
    put(store, "folder", DATA)
    with pytest.raises(StoreError, match="Not a directory") as caught:
        put(store, "folder/object")
    assert "move it away" in caught.value.hint


def test_a_root_that_is_a_file_is_named(root: Path, store: Store) -> None:
    root.write_bytes(b"")
    with pytest.raises(StoreError):
        put(store)


def test_objects_are_read_only_on_disk(store: Store, root: Path) -> None:
    put(store)
    assert (root / "folder" / "object").stat().st_mode & 0o222 == 0


def test_of_racing_writers_exactly_one_wins(root: Path) -> None:
    contents = [bytes([65 + number]) * 100_000 for number in range(8)]
    barrier, wins, refusals = threading.Barrier(8), list[bytes](), list[StoreError]()

    def write(content: bytes) -> None:
        barrier.wait()
        try:
            put(open_store(str(root)), "race/object", content)
            wins.append(content)
        except AlreadyExistsError as error:
            refusals.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert len(refusals) == 7
    assert (root / "race" / "object").read_bytes() == wins[0]
    assert files(root) == ["race/object"]


def test_a_writer_that_died_leaves_a_leftover_that_can_be_discarded(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.put("a/b/object", b"data", sha256_hex(b"data"))
    dead = tmp_path / "a" / "b" / ".incoming-0123456789abcdef"
    dead.write_bytes(b"half")
    [left] = store.unfinished("a")
    assert (left.name, left.size) == ("a/b/.incoming-0123456789abcdef", 4)
    store.discard(left)
    store.discard(left)
    assert not dead.exists()
    assert [info.key for info in store.list()] == ["a/b/object"]


def test_what_a_living_writer_writes_is_no_leftover(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    (tmp_path / "a").mkdir()
    living = tmp_path / "a" / ".incoming-0123456789abcdef"
    with living.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert list(store.unfinished()) == []
        store.discard(Unfinished("a/.incoming-0123456789abcdef", "x", 0, datetime.now(UTC)))
        assert living.exists()


def test_discarding_removes_nothing_else(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.put("a/object", b"data", sha256_hex(b"data"))
    store.discard(Unfinished("a/object", "x", 0, datetime.now(UTC)))
    assert store.exists("a/object")
