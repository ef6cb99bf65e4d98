"""A bundle that was changed in any way is refused, by a check that has a name."""

import gzip
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from prfpipe.audit import audit
from prfpipe.layout import PLAN, REPORT, STATEMENT, VERDICT
from tests.attacks.mutations import HOSTILE_NAMES, byte_changes, every_byte, forgeries, mutations
from tests.attacks.sealed import Tally
from tests.support import bundles
from tests.support.fault_audit import audited, refusals

Files = dict[str, bytes]
EVERY, EVERY_BYTE = 5, 199
"""One mutation of so many is tried here; `make reliability` tries them all."""


def test_a_changed_bundle_is_refused_by_a_named_check(pair: tuple[Files, Files]) -> None:
    tally = Tally().take(islice(mutations(*pair), 0, None, EVERY))
    assert tally.accepted == []
    assert sum(tally.tried.values()) > 900
    assert {"statement", "files", "digests"} <= tally.refused_by.keys()


def test_every_family_of_mutations_is_tried(pair: tuple[Files, Files]) -> None:
    last_of_each = {mutation.family: mutation for mutation in mutations(*pair)}
    tally = Tally().take(last_of_each.values())
    assert tally.accepted == []
    assert len(tally.tried) > 50


def test_any_single_byte_of_any_file_counts(pair: tuple[Files, Files]) -> None:
    tally = Tally().take(islice(every_byte(pair[0]), 0, None, EVERY_BYTE))
    assert tally.accepted == []


def test_a_mutation_is_never_the_bundle_itself(pair: tuple[Files, Files]) -> None:
    same = [(item.family, item.file) for item in mutations(*pair) if item.files == pair[0]]
    assert same == []


# ---- named cases: "Tampering" in tests/faults/README.md --------------------------------------------------

FAMILIES = {
    "one byte changed": "a bit flipped at a chosen place",
    "truncated": "truncated",
    "extended": "extended",
    "emptied": "emptied",
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_each_file_changed_is_refused(sealed: Files, family: str) -> None:
    for name, data in sealed.items():
        for found, changed in byte_changes(name, data):
            if found == family and changed != data:
                assert refusals(audited({**sealed, name: changed})), name


def test_each_file_missing_is_refused_by_name(sealed: Files) -> None:
    for name in sealed:
        report = audited({other: data for other, data in sealed.items() if other != name})
        assert refusals(report) == (["statement"] if name == STATEMENT else ["files"]), name


def test_each_file_renamed_is_refused(sealed: Files) -> None:
    for name in sealed:
        changed = {(other + ".bak" if other == name else other): data for other, data in sealed.items()}
        assert refusals(audited(changed)), name


def test_a_file_added_is_refused(sealed: Files) -> None:
    assert refusals(audited({**sealed, "added.json": b"{}"})) == ["files"]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_file_with_a_hostile_name_is_refused(sealed: Files, name: str) -> None:
    assert refusals(audited({**sealed, name: b"x"})) == ["files"]


@pytest.mark.parametrize("reseal", [bundles.resealed, bundles.rechained], ids=["statement", "journal-and-statement"])
def test_what_somebody_else_sealed_again_is_refused(sealed: Files, reseal: Callable[..., Files]) -> None:
    tally = Tally().take(forgeries(sealed, lambda files: reseal(files, key=bundles.OTHER_KEY)))
    assert tally.accepted == []
    assert tally.refused_by.keys() == {"signature"}


@pytest.mark.parametrize("name", [STATEMENT, PLAN, VERDICT])
def test_a_file_of_another_bundle_is_refused(pair: tuple[Files, Files], name: str) -> None:
    mine, other = pair
    assert refusals(audited({**mine, name: other[name]}))


def test_two_bundles_mixed_in_any_halves_are_refused(pair: tuple[Files, Files]) -> None:
    mine, other = pair
    for count in range(1, len(mine)):
        taken = dict(islice(other.items(), count))
        assert refusals(audited({**mine, **taken})), count


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x95cos\nsystem\n",
        b"!!python/object/apply:os.system ['true']",
        b'{"a":' * 5000,
        b"\x1f\x8b" + bytes(9),
    ],
    ids=["pickle", "yaml-tag", "deep", "gzip"],
)
def test_what_would_be_dangerous_to_parse_is_refused_unparsed(sealed: Files, data: bytes) -> None:
    for name in sealed:
        assert refusals(audited({**sealed, name: data})), name


def test_a_compressed_bomb_in_the_place_of_samples_is_refused(sealed: Files) -> None:
    bomb = gzip.compress(bytes(260 * 1024 * 1024), 1, mtime=0)
    for name in (name for name in sealed if name.endswith(".gz")):
        assert refusals(audited({**sealed, name: bomb})), name


# ---- on the disk ----------------------------------------------------------------------------------------


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _socket(path: Path) -> None:
    # The name of a socket is limited to some hundred bytes: it is made where it belongs.
    with _in(path.parent), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, 5))
    except PermissionError:
        _socket(path)


def _hard_link(path: Path) -> None:
    path.hardlink_to(path.parent / REPORT)


PLANTED: dict[str, Callable[[Path], object]] = {
    "symbolic link to a file of the bundle": lambda path: path.symlink_to(REPORT),
    "symbolic link out of the bundle": lambda path: path.symlink_to("/etc/hostname"),
    "symbolic link to nothing": lambda path: path.symlink_to("nowhere"),
    "symbolic link to itself": lambda path: path.symlink_to(path.name),
    "symbolic link to an endless device": lambda path: path.symlink_to("/dev/zero"),
    "hard link": _hard_link,
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": _device,
    "folder": lambda path: path.mkdir(),
    "folder with a file": lambda path: (path.mkdir(), (path / "x").write_bytes(b"x")),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
@pytest.mark.parametrize("name", [VERDICT, "added.json"], ids=["in-place-of-a-file", "added"])
def test_what_is_no_plain_file_is_refused(folder: Path, plant: Callable[[Path], object], name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    plant(folder / name)
    assert set(refusals(audit(folder))) <= {"readable", "files"}
    assert not audit(folder).accepted


def test_a_hard_link_to_a_file_elsewhere_is_refused_although_its_bytes_are_right(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").hardlink_to(folder / VERDICT)
    assert refusals(audit(folder)) == ["readable"]


def test_a_folder_of_the_bundle_that_is_a_link_is_refused_although_all_bytes_are_right(folder: Path) -> None:
    (folder / "implement").rename(folder.parent / "implement")
    (folder / "implement").symlink_to(folder.parent / "implement")
    assert refusals(audit(folder)) == ["readable"]


@pytest.fixture
def nested(folder: Path) -> Iterator[Path]:
    """A bundle with folders that nest deeper than Python calls do; pytest could not remove them."""
    depth = 1100
    with _in(folder):
        for level in range(1, depth):
            Path("d/" * level).mkdir()
        yield folder
        for level in range(depth - 1, 0, -1):
            Path("d/" * level).rmdir()


def test_folders_that_nest_for_ever_are_refused(nested: Path) -> None:
    assert refusals(audit(nested)) == ["readable"]
