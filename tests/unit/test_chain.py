"""The chain of a lever's statements: a place is on the disk before its statement, and nobody gets it twice."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prfpipe.attest import chain
from prfpipe.attest.chain import Link, Place, chain_name, read_links, take_place
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.errors import BundleError, TamperError
from prfpipe.models import StoreGuarantees
from tests.support.bundles import KEY, STORE

LOCKED = StoreGuarantees(kind="s3", guarantees={"object-lock": "held"}, level="locked")
NAME = chain_name("LEV-01", KEY.keyid)


def run_id(number: int) -> str:
    return f"20261123T081500Z-lev-01-{number:08x}"


def statement(number: int) -> Callable[[Place], bytes]:
    """A stand-in for a statement: the same bytes for the same run and place."""
    return lambda place: f"{number} {place}".encode()


def take(folder: Path, number: int, store: StoreGuarantees = STORE) -> bytes:
    return take_place(folder, NAME, run_id(number), KEY.keyid, store, statement(number))


def links(folder: Path) -> tuple[Link, ...]:
    return read_links((folder / NAME).read_bytes(), NAME)


def test_statements_follow_each_other(tmp_path: Path) -> None:
    made = [take(tmp_path, number) for number in range(3)]
    found = links(tmp_path)
    assert [link.sequence for link in found] == [1, 2, 3]
    assert [link.previous for link in found] == [None, *(sha256_hex(data) for data in made[:2])]
    assert [link.statement_sha256 for link in found] == [sha256_hex(data) for data in made]
    assert made[1] == statement(1)(Place(2, sha256_hex(made[0]), STORE))


def test_each_lever_and_each_key_has_a_chain_of_its_own(tmp_path: Path) -> None:
    names = {chain_name(lever, key) for lever in ("LEV-01", "LEV-02") for key in ("1" * 64, "2" * 64)}
    assert len(names) == 4
    for name in names:
        take_place(tmp_path, name, run_id(1), KEY.keyid, STORE, statement(1))
        assert read_links((tmp_path / name).read_bytes(), name)[0].sequence == 1


def test_a_run_that_goes_on_takes_its_own_place_again_whatever_came_after(tmp_path: Path) -> None:
    first = take(tmp_path, 1)
    second = take(tmp_path, 2)
    before = (tmp_path / NAME).read_bytes()
    assert (take(tmp_path, 1), take(tmp_path, 2)) == (first, second)
    assert (tmp_path / NAME).read_bytes() == before


def test_it_says_of_the_store_what_it_found_the_first_time(tmp_path: Path) -> None:
    first = take(tmp_path, 1, LOCKED)
    assert take(tmp_path, 1, STORE) == first
    assert links(tmp_path)[0].store == LOCKED


def test_a_run_that_is_not_what_it_was_is_refused(tmp_path: Path) -> None:
    take(tmp_path, 1)
    with pytest.raises(TamperError, match="not what it was when its statement was decided"):
        take_place(tmp_path, NAME, run_id(1), KEY.keyid, STORE, statement(9))


def test_a_statement_that_cannot_be_made_takes_no_place(tmp_path: Path) -> None:
    def fails(_: Place) -> bytes:
        raise BundleError("no", hint="no")

    with pytest.raises(BundleError):
        take_place(tmp_path, NAME, run_id(1), KEY.keyid, STORE, fails)
    take(tmp_path, 2)
    assert [link.run_id for link in links(tmp_path)] == [run_id(2)]


@pytest.mark.parametrize("torn", [b'{"keyid":"', b"\x00" * 40, b"{}"])
def test_a_line_that_was_cut_off_by_a_crash_was_never_there(tmp_path: Path, torn: bytes) -> None:
    take(tmp_path, 1)
    with (tmp_path / NAME).open("ab") as file:
        file.write(torn)
    take(tmp_path, 2)
    assert [link.sequence for link in links(tmp_path)] == [1, 2]


Edit = Callable[[list[bytes]], list[bytes]]


def changed(**values: object) -> Edit:
    return lambda lines: [canonical_json({**json.loads(lines[0]), **values}), *lines[1:]]


DAMAGE: dict[str, Edit] = {
    "a line that is missing": lambda lines: lines[1:],
    "lines in another order": lambda lines: lines[::-1],
    "a line twice": lambda lines: [*lines, lines[-1]],
    "a line that is no record": lambda lines: [b"{}", *lines],
    "an empty line": lambda lines: [*lines, b""],
    "a line in another spelling": lambda lines: [lines[0].replace(b":", b": "), *lines[1:]],
    "another statement in the middle": changed(statement_sha256="0" * 64),
    "another number": changed(sequence=2),
    "something before the first": changed(previous="0" * 64),
    "a run with two places": changed(run_id=run_id(2)),
    "an unknown key": changed(more=1),
    "a number that is text": changed(sequence="1"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_journal_is_refused_with(tmp_path: Path, damage: Edit) -> None:
    for number in (1, 2, 3):
        take(tmp_path, number)
    path = tmp_path / NAME
    damaged = b"".join(line + b"\n" for line in damage(path.read_bytes().splitlines()))
    path.write_bytes(damaged)
    with pytest.raises(TamperError, match=r"line \d") as caught:
        take(tmp_path, 4)
    assert "move it away" in caught.value.hint
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("kind", ["link", "hard link", "folder"])
def test_nothing_but_a_plain_file_is_a_journal(tmp_path: Path, kind: str) -> None:
    take(tmp_path, 1)
    path, other = tmp_path / NAME, tmp_path / "other"
    path.rename(other)
    if kind == "link":
        path.symlink_to(other)
    elif kind == "hard link":
        path.hardlink_to(other)
    else:
        path.mkdir()
    before = other.read_bytes()
    with pytest.raises(BundleError):
        take(tmp_path, 2)
    assert other.read_bytes() == before


def test_a_full_disk_gives_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(tmp_path, 1)

    def full(*_: object) -> None:
        raise BundleError("no space left", hint="Free some.")

    with monkeypatch.context() as patch:
        patch.setattr(chain.AppendFile, "append", full)
        with pytest.raises(BundleError, match="no space"):
            take(tmp_path, 2)
    take(tmp_path, 3)
    assert [link.run_id for link in links(tmp_path)] == [run_id(1), run_id(3)]


def test_processes_that_seal_at_the_same_time_never_share_a_place(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from tests.unit.test_chain import take; sys.stdin.read(); "
    code += "[take(Path(sys.argv[1]), int(sys.argv[2]) * 10 + index) for index in range(4)]"
    started = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, str(number)], stdin=subprocess.PIPE)
        for number in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in started] == [0, 0, 0]
    assert [link.sequence for link in links(tmp_path)] == list(range(1, 13))
