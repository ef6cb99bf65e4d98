"""The run folder: written once, whole, durable; read without following anything."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe import disk, layout
from prfpipe.bundle import RunFolder, read_tree
from prfpipe.digests import sha256_hex
from prfpipe.errors import BundleError, InputError, PrfpipeError, ResumeError, TamperError
from prfpipe.models import ProofRecord
from tests.support import bundles, records

RUN = "20261123T081500Z-lev-01-3f9c2a7b"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder.create(tmp_path, RUN) as folder:
        yield folder


def test_what_is_written_is_listed_with_size_and_digest_and_read_back(run: RunFolder) -> None:
    found = run.write("implement/tree.json", b"tree")
    assert run.files() == {"implement/tree.json": found}
    assert (found.sha256, found.size) == (sha256_hex(b"tree"), 4)
    assert run.read("implement/tree.json") == b"tree"
    assert read_tree(run.path) == run.contents() == {"implement/tree.json": b"tree"}


def test_a_file_is_written_once(run: RunFolder) -> None:
    run.write("plan.json", b"first")
    with pytest.raises(BundleError, match=r"plan\.json: File exists"):
        run.write("plan.json", b"second")
    assert run.contents() == {"plan.json": b"first"}


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "a/../b", "", ".", "a//b", ".hidden", "a/.b", "-rf", "a b", "a\0b", "a\nb", "рlan", "a" * 300],
)
def test_an_unsafe_name_is_refused(run: RunFolder, name: str) -> None:
    for act in (lambda: run.write(name, b""), lambda: run.read(name), lambda: run.append_to(name)):
        with pytest.raises(BundleError, match="cannot name a file"):
            act()


@given(st.text(max_size=20))
def test_a_safe_name_never_leaves_its_folder(name: str) -> None:
    if layout.is_name(name):
        assert os.path.normpath(name) == name
        assert not name.startswith(("/", ".", "-"))


def test_a_symbolic_link_planted_as_a_folder_is_not_followed(run: RunFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (run.path / "implement").symlink_to(outside)
    with pytest.raises(BundleError) as raised:
        run.write("implement/tree.json", b"")
    assert "move it away" in raised.value.hint
    assert list(outside.iterdir()) == []


def test_a_symbolic_link_planted_at_an_output_path_is_not_followed(run: RunFolder, tmp_path: Path) -> None:
    (run.path / "plan.json").symlink_to(tmp_path / "victim")
    with pytest.raises(BundleError):
        run.write("plan.json", b"")
    with pytest.raises(BundleError):
        run.append_to("plan.json")
    assert not (tmp_path / "victim").exists()


def test_a_run_folder_is_made_once(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="File exists"):
        RunFolder.create(tmp_path, RUN)


def test_two_processes_cannot_work_on_one_run(run: RunFolder) -> None:
    code = "import sys, pathlib; from prfpipe.bundle import RunFolder; RunFolder(pathlib.Path(sys.argv[1]))"
    other = subprocess.run([sys.executable, "-c", code, run.path], capture_output=True, text=True, check=False)
    assert "another process works on this run" in other.stderr


def test_the_lock_goes_with_its_holder(run: RunFolder) -> None:
    run.close()
    RunFolder(run.path).close()


# ---- the disk fails -------------------------------------------------------------------------------------

FAULTS = {
    "no space left": (errno.ENOSPC, "Free some space"),
    "quota": (errno.EDQUOT, "Free some space"),
    "read-only": (errno.EROFS, "read-only"),
    "not allowed": (errno.EACCES, "who may write"),
    "input/output error": (errno.EIO, "dmesg"),
    "out of file descriptors": (errno.EMFILE, "ulimit -n"),
}


def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(f"prfpipe.disk.os.{call}", fail)


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
@pytest.mark.parametrize(("number", "hint"), FAULTS.values(), ids=FAULTS.keys())
def test_a_write_that_fails_says_what_to_do_and_leaves_nothing_half_done(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, call: str, number: int, hint: str
) -> None:
    run.write("plan.json", b"plan")
    failing(monkeypatch, call, number)
    with pytest.raises(BundleError) as raised:
        run.write("verdict.json", b"verdict")
    monkeypatch.undo()
    assert hint in raised.value.hint
    assert run.contents() == {"plan.json": b"plan"}
    run.write("verdict.json", b"verdict")


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_an_append_that_fails_keeps_every_earlier_line_and_is_never_tried_again(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    lines = run.append_to("runlog.jsonl")
    lines.append(b"first")
    failing(monkeypatch, call, errno.ENOSPC)
    with pytest.raises(BundleError, match="No space left"):
        lines.append(b"second")
    monkeypatch.undo()
    with pytest.raises(BundleError, match="an earlier write failed"):
        lines.append(b"third")
    lines.close()
    assert run.read("runlog.jsonl") == b"first\n"


def test_a_disk_that_takes_a_byte_at_a_time_gets_all_of_them(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("prfpipe.disk.os.write", lambda descriptor, data: write(descriptor, bytes(data[:1])))
    run.write("plan.json", b"one byte at a time")
    assert run.read("plan.json") == b"one byte at a time"


class Killed(BaseException):
    """Stands for kill -9 at this point: nothing after it runs but what the kernel does."""


@pytest.mark.parametrize("call", ["fsync", "link", "unlink"])
def test_a_crash_at_any_point_of_a_write_leaves_a_folder_that_opens_clean(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    run.write("plan.json", b"plan")

    def kill(*_arguments: Any, **_options: Any) -> None:
        monkeypatch.setattr("prfpipe.disk.os.unlink", kill)  # no cleaning up after death
        raise Killed

    monkeypatch.setattr(f"prfpipe.disk.os.{call}", kill)
    with pytest.raises(Killed):
        run.write("art-05-tail/tail.json", b"tail")
    monkeypatch.undo()
    run.close()
    with RunFolder.resume(run.path) as again:
        assert again.contents() in ({"plan.json": b"plan"}, {"plan.json": b"plan", "art-05-tail/tail.json": b"tail"})
        assert list(again.path.rglob(".*")) == []


# ---- sealing and resuming -------------------------------------------------------------------------------


def test_a_sealed_run_takes_nothing_more(run: RunFolder) -> None:
    run.write("plan.json", b"plan")
    run.seal(b"statement")
    changes: list[Callable[[], object]] = [
        lambda: run.write("more.json", b""),
        lambda: run.append_to("runlog.jsonl"),
        lambda: run.remove("plan.json"),
        lambda: run.rename("plan.json", "other.json"),
        lambda: run.seal(b"another"),
    ]
    for change in changes:
        with pytest.raises(BundleError, match="the run is sealed"):
            change()
    assert run.contents() == {"plan.json": b"plan", "statement.dsse.json": b"statement"}


def test_a_run_with_an_unfinished_measurement_is_not_sealed(run: RunFolder) -> None:
    run.write("art-01-baseline/samples.jsonl.gz.partial", b"")
    with pytest.raises(BundleError, match="unfinished"):
        run.seal(b"statement")


def test_a_sealed_run_is_not_resumed(run: RunFolder) -> None:
    run.seal(b"statement")
    run.close()
    with pytest.raises(ResumeError, match="finished and sealed"):
        RunFolder.resume(run.path)


def test_a_run_that_is_not_there_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="no such run"):
        RunFolder.resume(tmp_path / RUN)


# ---- hostile folders ------------------------------------------------------------------------------------

HOSTILE: dict[str, Callable[[Path], object]] = {
    "a symbolic link": lambda path: (path / "x").symlink_to("/etc/passwd"),
    "a dangling link": lambda path: (path / "x").symlink_to("nowhere"),
    "a loop": lambda path: (path / "x").symlink_to("x"),
    "a link to a folder": lambda path: (path / "x").symlink_to("/"),
    "a hard link": lambda path: os.link(path / "plan.json", path / "y"),
    "a pipe": lambda path: os.mkfifo(path / "x"),
    "an empty folder": lambda path: (path / "x").mkdir(),
    "a hidden file": lambda path: (path / ".x").write_bytes(b""),
    "a name with a newline": lambda path: (path / "x\ny").write_bytes(b""),
    "a name with an escape": lambda path: (path / "\x1b[31m").write_bytes(b""),
    "a name that is no Unicode": lambda path: Path(os.fsdecode(os.fsencode(path) + b"/\xff")).write_bytes(b""),
    "a look-alike name": lambda path: (path / "рlan.json").write_bytes(b""),
    "folders without end": lambda path: (path / "/".join("d" * 150)).mkdir(parents=True),
}


@pytest.mark.parametrize("plant", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_folder_is_refused_with(tmp_path: Path, plant: Callable[[Path], object]) -> None:
    (tmp_path / "plan.json").write_bytes(b"plan")
    plant(tmp_path)
    with pytest.raises(TamperError) as raised:
        read_tree(tmp_path)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(("limit", "value"), [("prfpipe.bundle.MAX_FILES", 2), ("prfpipe.bundle.MAX_TOTAL_BYTES", 25)])
def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(limit, value)
    for name in "abc":
        (tmp_path / name).write_bytes(b"ten bytes.")
    with pytest.raises(TamperError, match="more than"):
        read_tree(tmp_path)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(disk.MAX_FILE_BYTES + 1)  # sparse
    with pytest.raises(TamperError, match="at most"):
        read_tree(tmp_path)


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_tree(tmp_path / "nothing")


def test_the_bundle_itself_may_be_named_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "plan.json").write_bytes(b"plan")
    (tmp_path / "link").symlink_to("real")
    assert read_tree(tmp_path / "link") == {"plan.json": b"plan"}


# ---- records and files ----------------------------------------------------------------------------------


def test_records_come_back_as_they_went() -> None:
    plan = bundles.plan()
    prove, verify = bundles.proof(plan, "prove"), bundles.proof(plan, "verify")
    profiles = (records.profile("baseline"), records.profile("candidate"))
    files = {
        **layout.plan_files(plan),
        **layout.proof_files(prove),
        **layout.proof_files(verify),
        **layout.profile_files(profiles[0]),
        **layout.profile_files(profiles[1]),
        **layout.tree_files(records.tree(), b"diff"),
    }
    assert layout.read_plan(files) == plan
    assert layout.read_proofs(files) == (prove, verify)
    assert layout.read_profiles(files) == profiles
    assert layout.read_tree(files) == records.tree()
    assert all(map(layout.is_name, files))


def test_what_a_run_did_not_reach_reads_as_nothing() -> None:
    assert (layout.read_proofs({}), layout.read_profiles({}), layout.read_tree({})) == ((), (), None)
    with pytest.raises(BundleError, match=r"plan\.json is missing"):
        layout.read_plan({})


def prove_files(**changes: Any) -> dict[str, bytes]:
    return layout.proof_files(records.proof("prove", **changes))


MIXED: dict[str, Callable[[], dict[str, bytes]]] = {
    "a part missing": lambda: dict(list(prove_files().items())[1:]),
    "a part of another tree": lambda: {**prove_files(), **dict([*prove_files(tree_digest="0" * 64).items()][:1])},
    "a part that is no record": lambda: {**prove_files(), next(iter(prove_files())): b"[]"},
    "an unknown key": lambda: {**prove_files(), next(iter(prove_files())): b'{"more": 1}'},
    "prove in the place of verify": lambda: {layout.VERIFY: layout.encode(records.proof("prove"))},
}


@pytest.mark.parametrize("make", MIXED.values(), ids=MIXED.keys())
def test_a_proof_is_refused_with(make: Callable[[], dict[str, bytes]]) -> None:
    with pytest.raises(BundleError):
        layout.read_proofs(make())


def test_the_profile_of_the_other_variant_is_refused() -> None:
    name = layout.profile_file("baseline", "profile.json")
    with pytest.raises(BundleError, match="other variant"):
        layout.read_profiles({name: layout.encode(records.profile("candidate"))})


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"stage": "\x1b[31m"}', b'{"\\u001b[31m": 1}', b'{"stage": 1e999}']
)
def test_a_file_that_is_not_its_record_is_refused_by_name_and_printably(data: bytes) -> None:
    with pytest.raises(PrfpipeError, match=r"^x\.json: ") as raised:
        layout.decode(ProofRecord, data, "x.json")
    assert str(raised.value).isprintable()
