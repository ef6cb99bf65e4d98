"""A fetch that was interrupted goes on, and trusts nothing that it finds."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prfpipe.errors import BundleError, IntegrityError, StoreError, StoreUnavailableError
from prfpipe.layout import STATEMENT
from prfpipe.store.evidence import fetch, resolve
from tests.store_bundles import FILES, RUN, keep, read_manifest, tree

NAMES = sorted(FILES)


class Counted:
    """A store that notes its downloads, and fails at the one with the number `fail_at`."""

    def __init__(self, store: Any, fail_at: int | None = None, error: BaseException | None = None) -> None:
        self._store, self._fail_at = store, fail_at
        self._error = error or StoreUnavailableError("the plug was pulled", hint="Put it in again.")
        self.downloads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def download(self, key: str, to: Path, sha256: str, size: int) -> None:
        if len(self.downloads) == self._fail_at:
            raise self._error
        self.downloads.append(key.rpartition(f"{RUN}/")[2])
        self._store.download(key, to, sha256, size)


def get(store: Any, folder: Path) -> Path:
    return fetch(store, resolve(store, RUN), folder / "copy", read_manifest)


def interrupted(store: Any, folder: Path, at: int = 3) -> Path:
    """The partial folder of a fetch that was cut off before file number `at`."""
    with pytest.raises(StoreUnavailableError) as caught:
        get(Counted(store, at), folder)
    partial = folder / f".copy.partial-{RUN}"
    assert any(str(partial) in note for note in caught.value.__notes__)
    assert not (folder / "copy").exists()
    return partial


@pytest.mark.parametrize("at", range(1, len(FILES)))
def test_only_what_is_missing_is_copied(store: Any, tmp_path: Path, at: int) -> None:
    keep(store, tmp_path / "run")
    partial = interrupted(store, tmp_path, at)
    again = Counted(store)
    get(again, tmp_path)
    assert again.downloads == NAMES[at:]
    assert tree(tmp_path / "copy") == tree(tmp_path / "run")
    assert not partial.exists()


def test_nothing_stays_of_a_fetch_that_copied_nothing(store: Any, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    with pytest.raises(StoreUnavailableError):
        get(Counted(store, 0), tmp_path)
    assert [path.name for path in tmp_path.glob("*copy*")] == []


def test_ctrl_c_keeps_what_was_copied(store: Any, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        get(Counted(store, 2, KeyboardInterrupt()), tmp_path)
    again = Counted(store)
    get(again, tmp_path)
    assert again.downloads == NAMES[2:]


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def extended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"!")


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [flipped, extended, linked, piped])
def test_a_file_that_changed_meanwhile_is_copied_again(
    store: Any, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    keep(store, tmp_path / "run")
    partial = interrupted(store, tmp_path)
    damage(partial / "art-01-baseline" / "report.json")
    again = Counted(store)
    get(again, tmp_path)
    assert "art-01-baseline/report.json" in again.downloads
    assert tree(tmp_path / "copy") == tree(tmp_path / "run")
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*"))


def test_what_was_planted_meanwhile_does_not_get_in(store: Any, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    partial = interrupted(store, tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_bytes(b"precious")
    (partial / "extra.txt").write_bytes(b"extra")
    (partial / STATEMENT).write_bytes(b"{}")
    (partial / "empty-folder").mkdir()
    (partial / "way-out").symlink_to(tmp_path / "outside")
    get(store, tmp_path)
    assert tree(tmp_path / "copy") == tree(tmp_path / "run")
    assert not (tmp_path / "copy" / "empty-folder").exists()
    assert (tmp_path / "outside" / "precious").read_bytes() == b"precious"


def test_a_partial_folder_that_is_a_link_is_not_followed(store: Any, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    (tmp_path / "outside").mkdir()
    (tmp_path / f".copy.partial-{RUN}").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError) as caught:
        get(store, tmp_path)
    assert "symbolic link" in caught.value.hint
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_that_is_damaged_in_the_store_leaves_nothing_that_looks_resumable(kept: Any, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    kept.plant(f"evidence/v1/lev-01/{RUN}/plan.json", b"[]")
    with pytest.raises(IntegrityError):
        get(kept.store, tmp_path)
    assert [path.name for path in tmp_path.glob("*copy*")] == []


def test_two_at_once_do_not_share_a_folder(store: Any, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    partial = interrupted(store, tmp_path)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(BundleError, match="another process fetches it"):
            get(store, tmp_path)
    finally:
        os.close(descriptor)
    get(store, tmp_path)


def test_a_partial_folder_that_others_can_write_is_not_used(store: Any, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    interrupted(store, tmp_path).chmod(0o777)
    with pytest.raises(BundleError, match="can be written by others"):
        get(store, tmp_path)
    assert not (tmp_path / "copy").exists()
