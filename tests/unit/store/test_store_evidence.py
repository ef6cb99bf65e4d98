"""Bundles in a store, on both kinds of store."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import pytest

from prfpipe.disk import MAX_FILE_BYTES
from prfpipe.errors import (
    AlreadyExistsError,
    BundleError,
    InputError,
    IntegrityError,
    NotFoundError,
    StoreError,
    StoreUnavailableError,
    TamperError,
)
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store import Store, open_store
from prfpipe.store.deadline import Limits
from prfpipe.store.evidence import archive, fetch, list_bundles, resolve
from prfpipe.store.location import S3Location
from prfpipe.store.s3 import S3Store
from tests import store_servers as s3
from tests.store_bundles import (
    FILES,
    LATER,
    OTHER_LEVER,
    RUN,
    Watched,
    commit,
    keep,
    make_bundle,
    manifest_of,
    read_manifest,
    tree,
)
from tests.store_servers import FaultyS3


class Kept(Protocol):
    store: Store
    folder: Path

    def plant(self, key: str, data: bytes) -> None: ...


def test_a_bundle_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    url = keep(store, tmp_path / "run")
    assert f"evidence/v1/lev-01/{RUN}" in url
    there = fetch(store, resolve(store, RUN), tmp_path / "deep" / "copy", read_manifest)
    assert there == tmp_path / "deep" / "copy"
    assert tree(there) == tree(tmp_path / "run")
    assert [path.name for path in there.parent.iterdir()] == ["copy"]


def test_the_statement_goes_last(store: Store, tmp_path: Path) -> None:
    watched = Watched(store)
    keep(watched, tmp_path / "run")
    assert watched.puts == [*sorted(FILES), STATEMENT]


def test_what_is_not_in_the_manifest_stays_local(store: Store, tmp_path: Path) -> None:
    make_bundle(tmp_path / "run")
    (tmp_path / "run" / "secret.key").write_bytes(b"secret")
    keep(store, tmp_path / "run")
    assert not any("secret" in info.key for info in store.list())


@pytest.mark.parametrize("fail_at", range(len(FILES) + 1))
def test_an_interrupted_archive_is_invisible_until_it_is_completed(store: Store, tmp_path: Path, fail_at: int) -> None:
    with pytest.raises(StoreUnavailableError):
        keep(Watched(store, fail_at), tmp_path / "run")
    assert list(list_bundles(store)) == []
    with pytest.raises(NotFoundError, match="has no bundle"):
        resolve(store, RUN)
    keep(store, tmp_path / "run")
    keep(store, tmp_path / "run")
    assert [ref.run_id for ref in list_bundles(store)] == [RUN]
    fetch(store, resolve(store, "latest"), tmp_path / "copy", read_manifest)


def test_progress_tells_each_file_and_the_bytes(store: Store, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    total = sum(map(len, FILES.values()))
    archive(
        store,
        make_bundle(tmp_path / "run"),
        "LEV-01",
        RUN,
        manifest_of(FILES),
        lambda *args: told.append(args),
    )
    assert [name for name, _, _ in told] == [*sorted(FILES), STATEMENT]
    assert told[0][1:] == (0, total)
    assert told[-1][1:] == (total, total)
    told_when_archived = list(told)
    told.clear()
    fetch(store, resolve(store, RUN), tmp_path / "copy", read_manifest, lambda *args: told.append(args))
    assert told == told_when_archived


def test_another_bundle_under_the_same_run_id_is_refused_before_anything_is_added(store: Store, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    before = [info.key for info in store.list()]
    files = {"other.json": b"{}"}
    with pytest.raises(AlreadyExistsError, match="another statement"):
        archive(store, make_bundle(tmp_path / "other", files), "LEV-01", RUN, manifest_of(files))
    assert [info.key for info in store.list()] == before


@pytest.mark.parametrize("data", [b"[]", b"{} ", b""], ids=["changed", "extended", "emptied"])
def test_a_local_file_that_changed_is_refused(store: Store, tmp_path: Path, data: bytes) -> None:
    make_bundle(tmp_path / "run")
    (tmp_path / "run" / "plan.json").write_bytes(data)
    with pytest.raises(TamperError, match=r"plan\.json"):
        archive(store, tmp_path / "run", "LEV-01", RUN, manifest_of(FILES))
    assert list(store.list()) == []


@pytest.mark.parametrize("name", ["plan.json", "art-01-baseline/report.json", STATEMENT])
def test_a_missing_local_file_is_named(store: Store, tmp_path: Path, name: str) -> None:
    make_bundle(tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(BundleError, match="missing"):
        archive(store, tmp_path / "run", "LEV-01", RUN, manifest_of(FILES))
    assert list(store.list()) == []


@pytest.mark.parametrize("name", ["plan.json", "art-01-baseline", STATEMENT])
def test_a_link_in_the_local_bundle_is_refused(store: Store, tmp_path: Path, name: str) -> None:
    run = make_bundle(tmp_path / "run")
    (run / name).rename(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="not a regular file"):
        archive(store, run, "LEV-01", RUN, manifest_of(FILES))
    assert list(store.list()) == []


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        "latest",
        "../../etc",
        "20261123T081500Z-lev-01",
        "20261399T081500Z-lev-01-3f9c2a7b",
        RUN + "\n",
        RUN.upper(),
        "\x1b[31m",
    ],
)
def test_what_is_no_run_id_is_refused(store: Store, tmp_path: Path, run_id: str) -> None:
    with pytest.raises(InputError, match="is not a run id"):
        keep(store, tmp_path / "run", run_id)
    if run_id != "latest":
        with pytest.raises(InputError, match="is not a run id"):
            resolve(store, run_id)


def test_a_run_of_another_lever_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not one of lever 'LEV-02'"):
        keep(store, tmp_path / "run", RUN, "LEV-02")
    keep(store, tmp_path / "run")
    with pytest.raises(InputError, match="not one of lever"):
        resolve(store, RUN, "LEV-02")


def test_bundles_are_listed_by_time_lever_and_since(store: Store, tmp_path: Path) -> None:
    assert list(list_bundles(store)) == []
    for run_id, lever in ((LATER, "LEV-01"), (OTHER_LEVER, "LEV-02"), (RUN, "LEV-01")):
        keep(store, tmp_path / "run", run_id, lever)
    assert [ref.run_id for ref in list_bundles(store)] == [RUN, OTHER_LEVER, LATER]
    assert [ref.run_id for ref in list_bundles(store, "LEV-01")] == [RUN, LATER]
    assert [ref.run_id for ref in list_bundles(store, "lev-02")] == [OTHER_LEVER]
    assert list(list_bundles(store, "LEV-09")) == []
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert [ref.run_id for ref in list_bundles(store, since=noon)] == [OTHER_LEVER, LATER]
    first = next(list_bundles(store))
    assert (first.lever, first.started) == ("lev-01", datetime(2026, 11, 23, 8, 15, tzinfo=UTC))


def test_latest_is_the_newest_of_its_lever(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="has no bundle"):
        resolve(store, "latest")
    for run_id, lever in ((LATER, "LEV-01"), (OTHER_LEVER, "LEV-02"), (RUN, "LEV-01")):
        keep(store, tmp_path / "run", run_id, lever)
    assert resolve(store, "latest").run_id == LATER
    assert resolve(store, "latest", "LEV-02").run_id == OTHER_LEVER
    with pytest.raises(NotFoundError, match="of LEV-09"):
        resolve(store, "latest", "LEV-09")


def test_misplaced_statements_are_not_bundles(kept: Kept) -> None:
    for folder in ("lev-02/" + RUN, "lev-01/not-a-run", f"lev-01/{RUN}/deeper", "lev-01", RUN):
        kept.plant(f"evidence/v1/{folder}/{STATEMENT}", b"{}")
    assert list(list_bundles(kept.store)) == []


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_changed_file_in_the_store_is_refused(kept: Kept, tmp_path: Path, name: str) -> None:
    keep(kept.store, tmp_path / "run")
    data = bytearray(FILES[name] or b"extended")
    data[-1] ^= 1
    kept.plant(f"evidence/v1/lev-01/{RUN}/{name}", bytes(data))
    with pytest.raises(IntegrityError, match="came back"):
        fetch(kept.store, resolve(kept.store, RUN), tmp_path / "copy", read_manifest)
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == []


def test_a_file_deleted_after_archiving_is_noticed_and_can_be_archived_again(store: Store, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    store.delete(f"evidence/v1/lev-01/{RUN}/plan.json")
    with pytest.raises(NotFoundError, match=r"plan\.json"):
        fetch(store, resolve(store, RUN), tmp_path / "copy", read_manifest)
    assert not (tmp_path / "copy").exists()
    keep(store, tmp_path / "run")
    fetch(store, resolve(store, RUN), tmp_path / "copy", read_manifest)


@pytest.mark.parametrize(
    "names",
    [
        ["../escape"],
        ["/etc/passwd"],
        ["a/../../escape"],
        ["nul\0"],
        ["a//b"],
        ["back\\slash"],
        ["\x1b[31m"],
        ["ｆull-width"],
        ["x" * 1000],
        [STATEMENT],
        [STATEMENT.upper()],
        [f"{STATEMENT}/x"],
        ["same", "SAME"],
        ["a", "a/b"],
        ["A/b", "a"],
    ],
    ids=lambda names: ascii(names)[:30],
)
def test_hostile_names_are_refused_before_anything_is_copied(store: Store, tmp_path: Path, names: list[str]) -> None:
    commit(store, manifest_of(dict.fromkeys(names, b"x")))
    with pytest.raises(TamperError, match="not safe") as caught:
        fetch(store, resolve(store, RUN), tmp_path / "copy", read_manifest)
    assert caught.value.message.isprintable()
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == []
    with pytest.raises(TamperError, match="not safe"):
        archive(store, tmp_path, "LEV-01", RUN, manifest_of(dict.fromkeys(names, b"x")))


def test_too_many_files_are_refused(store: Store, tmp_path: Path) -> None:
    commit(store, manifest_of({f"f{number}": b"" for number in range(10_001)}))
    with pytest.raises(TamperError, match="10001 files"):
        fetch(store, resolve(store, RUN), tmp_path / "copy", read_manifest)


def test_a_bundle_larger_than_the_disk_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, {"large": FileDigest(sha256="0" * 64, size=2**20)})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=2**19))
    with pytest.raises(BundleError, match="524288 bytes free"):
        fetch(store, resolve(store, RUN), tmp_path / "copy", read_manifest)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    "sizes", [[2**62], [MAX_FILE_BYTES + 1], [MAX_FILE_BYTES] * 5], ids=["all disks", "a file", "together"]
)
def test_a_bundle_that_no_audit_would_read_is_not_even_copied(store: Store, tmp_path: Path, sizes: list[int]) -> None:
    commit(store, {f"file-{at}": FileDigest(sha256="0" * 64, size=size) for at, size in enumerate(sizes)})
    with pytest.raises(TamperError, match=r"not safe to copy: .* are read"):
        fetch(store, resolve(store, RUN), tmp_path / "copy", read_manifest)
    assert not (tmp_path / "copy").exists()


def test_a_statement_that_cannot_be_read_leaves_nothing(kept: Kept, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    kept.plant(f"evidence/v1/lev-01/{RUN}/{STATEMENT}", b"no JSON")
    with pytest.raises(ValueError, match="Expecting value"):
        fetch(kept.store, resolve(kept.store, RUN), tmp_path / "copy", read_manifest)
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == []


def test_fetch_never_overwrites(store: Store, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    ref = resolve(store, RUN)
    (tmp_path / "file").write_bytes(b"precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_bytes(b"precious")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "full", "link", "dangling"):
        with pytest.raises(BundleError, match="is in use"):
            fetch(store, ref, tmp_path / name, read_manifest)
    assert list((tmp_path / "empty").iterdir()) == []
    fetch(store, ref, tmp_path / "empty", read_manifest)
    assert tree(tmp_path / "empty") == tree(tmp_path / "run")


def test_fetching_where_nothing_can_be_written_is_a_clear_error(store: Store, tmp_path: Path) -> None:
    keep(store, tmp_path / "run")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="File exists"):
        fetch(store, resolve(store, RUN), tmp_path / "file" / "copy", read_manifest)


def test_credentials_that_expire_between_uploads_are_named_and_the_archive_goes_on(
    faulty: FaultyS3, tmp_path: Path
) -> None:
    faulty.fail("PUT", lambda _: False, times=2)
    faulty.fail("PUT", s3.answer(400, "ExpiredToken"))
    store = S3Store(S3Location.parse(faulty.url), Limits(pauses=(0.01,)))
    with pytest.raises(StoreError, match="ExpiredToken") as caught:
        keep(store, tmp_path / "run")
    assert "goes on where it stopped" in caught.value.hint
    keep(store, tmp_path / "run")
    assert faulty.seen.count("PUT") == len(FILES) + 2, "what was there is not sent again"


def test_a_directory_and_s3_hold_the_same_keys(kept: Kept, tmp_path: Path) -> None:
    keep(kept.store, tmp_path / "run")
    reference = open_store(str(tmp_path / "reference"))
    keep(reference, tmp_path / "run")
    assert [info.key for info in kept.store.list()] == [info.key for info in reference.list()]
