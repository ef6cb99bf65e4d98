"""What every store must do, whoever serves it."""

import threading
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest

from prfpipe.digests import sha256_hex
from prfpipe.errors import AlreadyExistsError, InputError, IntegrityError, NotFoundError, StoreError
from prfpipe.store import Store, open_store

OTHER = sha256_hex(b"other")


class Kept(Protocol):
    store: Store
    folder: Path

    def plant(self, key: str, data: bytes) -> None: ...


def put(store: Store, key: str, data: bytes) -> None:
    store.put(key, data, sha256_hex(data))


@pytest.mark.parametrize("data", [b"", b"x", b"\0\r\n\xff" * 700_000], ids=["empty", "small", "several-chunks"])
def test_bytes_come_back_as_they_were_put(store: Store, data: bytes) -> None:
    put(store, "folder/object", data)
    assert store.get("folder/object", sha256_hex(data)) == data
    assert store.get("folder/object") == data


def test_a_file_is_put_and_downloaded(store: Store, tmp_path: Path) -> None:
    data = b"line\n" * 300_000
    (tmp_path / "file").write_bytes(data)
    store.put("file", tmp_path / "file", sha256_hex(data))
    store.download("file", tmp_path / "copy", sha256_hex(data), len(data))
    assert (tmp_path / "copy").read_bytes() == data


def test_same_content_twice_changes_nothing(store: Store) -> None:
    put(store, "object", b"data")
    put(store, "object", b"data")
    assert store.get("object") == b"data"


def test_other_content_is_refused_and_the_first_stays(store: Store) -> None:
    put(store, "object", b"first")
    with pytest.raises(AlreadyExistsError, match="other content") as caught:
        put(store, "object", b"second")
    assert "new run" in caught.value.hint
    assert store.get("object") == b"first"


def test_data_that_is_not_what_its_digest_says_is_not_stored(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"changed since")
    for data in (b"changed since", tmp_path / "file"):
        with pytest.raises(IntegrityError, match="not " + OTHER):
            store.put("object", data, OTHER)
    assert not store.exists("object")


def test_a_missing_local_file_is_not_stored(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        store.put("object", tmp_path / "nothing", OTHER)
    assert not store.exists("object")


def test_a_local_symbolic_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError, match="symbolic link"):
        store.put("object", tmp_path / "link", sha256_hex(b"secret"))


def test_what_is_not_there_is_not_found(store: Store, tmp_path: Path) -> None:
    put(store, "folder/object", b"data")
    for key in ("nothing", "folder/nothing", "no/folder/nothing"):
        assert not store.exists(key)
        with pytest.raises(NotFoundError):
            store.get(key)
        with pytest.raises(NotFoundError):
            store.download(key, tmp_path / "copy", OTHER, 5)
    assert not (tmp_path / "copy").exists()


def test_a_folder_is_not_an_object(store: Store) -> None:
    put(store, "folder/object", b"data")
    assert not store.exists("folder")
    with pytest.raises(StoreError):
        store.get("folder")


def test_an_empty_store_lists_nothing(store: Store) -> None:
    assert list(store.list()) == []
    assert list(store.list("evidence/v1")) == []


def test_listing_is_sorted_and_keeps_to_its_folder(store: Store) -> None:
    keys = ["a-b/x", "a/b/c", "a/b-c", "a/b.d", "a/B", "ab/x", "a0"]
    for key in keys:
        put(store, key, key.encode())
    everything = [(info.key, info.size) for info in store.list()]
    assert everything == sorted((key, len(key)) for key in keys)
    assert [info.key for info in store.list("a")] == ["a/B", "a/b-c", "a/b.d", "a/b/c"]
    assert [info.key for info in store.list("a/b")] == ["a/b/c"]


def test_more_objects_than_a_page_are_all_listed_in_order(kept: Kept) -> None:
    for number in range(1007):
        kept.plant(f"many/{number % 10}/{number}", b"x")
    keys = [info.key for info in kept.store.list("many")]
    assert len(keys) == 1007
    assert all(first < second for first, second in pairwise(keys))


def test_foreign_names_are_not_listed(kept: Kept) -> None:
    put(kept.store, "a/object", b"data")
    for name in ("a/.hidden", "a/sp ace", "a/\x1b[31mred", "a/-option", ".incoming-1234"):
        kept.plant(name, b"foreign")
    assert [info.key for info in kept.store.list()] == ["a/object"]


def test_deleting_is_repeatable(store: Store) -> None:
    put(store, "folder/leftover", b"data")
    store.delete("folder/leftover")
    store.delete("folder/leftover")
    assert not store.exists("folder/leftover")
    assert list(store.list()) == []


def test_a_changed_object_is_refused(kept: Kept, tmp_path: Path) -> None:
    put(kept.store, "object", b"data")
    kept.plant("object", b"dat!")
    with pytest.raises(IntegrityError, match="came back"):
        kept.store.get("object", sha256_hex(b"data"))
    with pytest.raises(IntegrityError, match="came back"):
        kept.store.download("object", tmp_path / "copy", sha256_hex(b"data"), 4)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("size", [3, 5])
def test_a_download_of_another_size_is_refused(store: Store, tmp_path: Path, size: int) -> None:
    put(store, "object", b"data")
    with pytest.raises(IntegrityError, match="bytes came back"):
        store.download("object", tmp_path / "copy", sha256_hex(b"data"), size)
    assert not (tmp_path / "copy").exists()


def test_more_bytes_than_asked_for_are_refused(store: Store) -> None:
    put(store, "object", b"data")
    assert store.get("object", max_bytes=4) == b"data"
    with pytest.raises(IntegrityError, match="more than 3 bytes"):
        store.get("object", max_bytes=3)


def test_a_download_never_overwrites(store: Store, tmp_path: Path) -> None:
    put(store, "object", b"data")
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    for name in ("precious", "link", "dangling"):
        with pytest.raises(StoreError, match="exists"):
            store.download("object", tmp_path / name, sha256_hex(b"data"), 4)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "elsewhere").exists()


def test_racing_writers_of_the_same_content_all_succeed(store: Store) -> None:
    outcomes = _race(store, [b"same" * 50_000] * 8)
    assert outcomes == [None] * 8
    assert store.get("race") == b"same" * 50_000


def test_racing_writers_leave_one_whole_content_and_its_writer_succeeds(store: Store) -> None:
    contents = [bytes([65 + number]) * 200_000 for number in range(8)]
    outcomes = _race(store, contents)
    assert outcomes[contents.index(store.get("race"))] is None
    assert all(isinstance(error, AlreadyExistsError | IntegrityError) for error in outcomes if error)


def _race(store: Store, contents: list[bytes]) -> list[StoreError | None]:
    barrier = threading.Barrier(len(contents))
    outcomes: list[StoreError | None] = [None] * len(contents)
    stores = [open_store(store.url()) for _ in contents]

    def write(number: int) -> None:
        barrier.wait()
        try:
            put(stores[number], "race", contents[number])
        except StoreError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_its_url_opens_it_again(store: Store) -> None:
    put(store, "object", b"data")
    assert open_store(store.url()).get("object") == b"data"
    assert "folder/object" in store.url("folder/object")


@pytest.mark.parametrize("key", ["../escape", "/etc/passwd", "a//b", ""])
def test_an_unsafe_key_never_reaches_the_store(store: Store, tmp_path: Path, key: str) -> None:
    for use in (
        lambda: put(store, key, b"x"),
        lambda: store.get(key),
        lambda: store.download(key, tmp_path / "copy", OTHER, 1),
        lambda: store.exists(key),
        lambda: store.delete(key),
        lambda: store.attempt(key, b"x", claimed_sha256=OTHER, only_if_absent=True),
        lambda: list(store.list(key or "..")),
    ):
        with pytest.raises(InputError):
            use()


# ---- listing from the middle, folders, leftovers ---------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("", ["a-b/x", "a/1/x", "a/2/x", "a/2/y", "a/3/x", "a0"]),
        ("a/2", ["a/2/x", "a/2/y", "a/3/x", "a0"]),
        ("a/2/x", ["a/2/y", "a/3/x", "a0"]),
        ("a/2z", ["a/3/x", "a0"]),
        ("a/2/y", ["a/3/x", "a0"]),
        ("zz", []),
    ],
)
@pytest.mark.parametrize("page", [2, 1000])
def test_a_listing_starts_after_any_text(store: Store, after: str, expected: list[str], page: int) -> None:
    for key in ("a-b/x", "a/1/x", "a/2/x", "a/2/y", "a/3/x", "a0"):
        put(store, key, b"x")
    assert [info.key for info in store.list(after=after, page=page)] == expected
    inside = [key for key in expected if key.startswith("a/")]
    assert [info.key for info in store.list("a", after=after, page=page)] == inside


def test_folders_are_named_once_and_in_order(kept: Kept) -> None:
    assert list(kept.store.folders("evidence")) == []
    for key in ("b/x", "a/deep/er/x", "a/deep/y", "a/a/x", "a/file", "B/x", "b-c/x"):
        put(kept.store, key, b"x")
    kept.plant("a/.hidden/x", b"foreign")
    assert list(kept.store.folders()) == ["B", "a", "b-c", "b"]
    assert list(kept.store.folders("a")) == ["a", "deep"]


def test_verifying_reads_and_keeps_nothing(kept: Kept) -> None:
    put(kept.store, "object", b"data")
    kept.store.verify("object", sha256_hex(b"data"), 4)
    for sha256, size in ((OTHER, 4), (sha256_hex(b"data"), 5), (sha256_hex(b"data"), 3)):
        with pytest.raises(IntegrityError):
            kept.store.verify("object", sha256, size)
    with pytest.raises(NotFoundError):
        kept.store.verify("nothing", OTHER, 5)


def test_a_store_at_rest_has_nothing_unfinished(store: Store) -> None:
    put(store, "folder/object", b"data")
    assert list(store.unfinished()) == []
    assert list(store.unfinished("nowhere")) == []


def test_every_store_tells_its_traits(store: Store) -> None:
    assert set(store.traits("probe/v1/here")) == {"clock", "versioning", "object-lock"}
