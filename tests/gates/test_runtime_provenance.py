"""What the runtime uses is what a publisher signed: each way in which it is not is refused."""

import hashlib
import marshal
import os
import shutil
import struct
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

from gates.runtime import levers, publisher
from gates.runtime.errors import ForgedError, TamperedError
from gates.runtime.manifest import Manifest, sealed
from tests.support.runtimes import (
    CHECK,
    COMPARE,
    ECHO,
    POLICIES,
    RAN,
    TRACE,
    Start,
    recorded,
    sign,
    write_stream,
)


def test_an_extension_that_was_changed_after_it_was_signed_is_refused(state: Path, start: Start) -> None:
    (state / "extensions" / "redact_1.py").write_text(ECHO + "# one byte more", encoding="utf-8")
    runtime = start()
    with pytest.raises(TamperedError, match=r"extensions/redact_1\.py is not what was signed"):
        runtime.extensions.add("redact_1")
    assert runtime.extensions.names == []
    assert recorded(state)[-1]["fault"] == "TamperedError"


def test_content_is_compared_each_time_it_is_used_not_only_the_first_time(state: Path, start: Start) -> None:
    runtime = start()
    runtime.extensions.add("redact_1")
    runtime.extensions.remove("redact_1")
    (state / "extensions" / "redact_1.py").write_text("# other", encoding="utf-8")
    with pytest.raises(TamperedError):
        runtime.extensions.add("redact_1")


def test_an_extension_that_nobody_signed_is_refused(state: Path, start: Start) -> None:
    (state / "extensions" / "route_1.py").write_text(ECHO, encoding="utf-8")
    with pytest.raises(TamperedError, match="is not in the manifest"):
        start().extensions.add("route_1")


@pytest.mark.parametrize("name", ["missing", "../trust/manifest", "redact_1.py", ""])
def test_a_name_that_is_no_extension_is_refused(start: Start, name: str) -> None:
    with pytest.raises(TamperedError, match="there is no extension"):
        start().extensions.add(name)


def test_a_policy_that_was_changed_on_disk_keeps_the_runtime_from_starting(state: Path, start: Start) -> None:
    (state / "trust" / "policies.cedar").write_text("permit(principal, action, resource);", encoding="utf-8")
    with pytest.raises(TamperedError, match=r"policies\.cedar"):
        start()


def test_a_manifest_of_another_publisher_is_forged(state: Path, start: Start) -> None:
    publisher.publish(state, POLICIES, epoch=1, key=publisher.key_of("somebody else"))
    with pytest.raises(ForgedError):
        start()


@pytest.mark.parametrize("keep", [0, 1, 40, 88, 89, 90, -1, -40])
def test_a_manifest_that_was_cut_is_forged(state: Path, start: Start, keep: int) -> None:
    manifest = state / "trust" / "manifest"
    manifest.write_bytes(manifest.read_bytes()[:keep])
    with pytest.raises(ForgedError):
        start()


def test_a_manifest_whose_digest_was_exchanged_is_forged(state: Path, start: Start) -> None:
    manifest = state / "trust" / "manifest"
    own = hashlib.sha256(ECHO.encode()).hexdigest().encode()
    manifest.write_bytes(manifest.read_bytes().replace(own, b"0" * 64))
    with pytest.raises(ForgedError):
        start()


def test_a_signature_that_was_made_for_something_else_is_worth_nothing(state: Path, start: Start) -> None:
    class Bare:
        def sign(self, data: bytes, /) -> bytes:
            return publisher.key_of().sign(data.partition(b"\n")[2])

    (state / "trust" / "manifest").write_bytes(sealed(Manifest("runtime", 1, 1, {}), Bare()))
    with pytest.raises(ForgedError):
        start()


def test_code_of_a_hot_path_that_was_changed_is_not_run(tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "lev_05_scheduler"
    shutil.copytree(levers.LEVERS / "lev_05_scheduler", folder)
    guard = start().guard
    guard.admit_code(folder)
    (folder / "tuned.json").write_text((folder / "tuned.json").read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(TamperedError, match=r"lev_05_scheduler/tuned\.json"):
        guard.admit_code(folder)


def test_signed_code_that_is_gone_is_not_looked_for_elsewhere(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "levers" / "lev_05_scheduler", tmp_path / "elsewhere"
    shutil.copytree(levers.LEVERS / folder.name, folder)
    elsewhere.mkdir()
    (folder / "lanes.py").rename(elsewhere / "lanes.py")
    monkeypatch.syspath_prepend(str(elsewhere))
    monkeypatch.setattr(levers, "LEVERS", folder.parent)
    monkeypatch.setattr(levers, "_held", {})
    with pytest.raises(TamperedError, match=r"lev_05_scheduler/lanes\.py was signed and is not there"):
        start().perform("scheduler", TRACE)


def _package(folder: Path) -> None:
    (folder / "candidate").mkdir()
    (folder / "candidate" / "__init__.py").write_text(FOREIGN, encoding="utf-8")


def _package_of_an_import(folder: Path) -> None:
    (folder / "bisect").mkdir()
    (folder / "bisect" / "__init__.py").write_text(FOREIGN, encoding="utf-8")


def _extension_module(folder: Path) -> None:
    (folder / f"candidate{EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")


def _bytecode(folder: Path) -> None:
    """As the interpreter would have left it for the signed source."""
    source, code = folder / "candidate.py", marshal.dumps(compile(FOREIGN, "candidate.py", "exec"))
    found = source.stat()
    place = Path(cache_from_source(str(source)))
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(MAGIC_NUMBER + struct.pack("<III", 0, int(found.st_mtime), found.st_size) + code)


FOREIGN = "raise SystemError('foreign code')"


@pytest.mark.parametrize("put", [_package, _package_of_an_import, _extension_module, _bytecode])
def test_what_stands_beside_signed_code_is_not_run_in_its_place(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], None]
) -> None:
    folder = tmp_path / "levers" / "lev_05_scheduler"
    shutil.copytree(levers.LEVERS / folder.name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    put(folder)
    monkeypatch.setattr(levers, "LEVERS", folder.parent)
    monkeypatch.setattr(levers, "_held", {})
    monkeypatch.delitem(sys.modules, "bisect")
    assert start().perform("scheduler", TRACE) == RAN


def test_a_signed_project_is_checked(project: Path, start: Start) -> None:
    assert start().perform("compat", CHECK, "redact_1")["files"] == 2


@pytest.mark.parametrize("what", ["changed", "added", "removed", "renamed"])
def test_a_project_that_is_not_what_was_signed_is_refused(project: Path, start: Start, what: str) -> None:
    runtime = start()
    runtime.perform("compat", CHECK, "redact_1")
    if what == "changed":
        (project / "a.js").write_text("require('child_process');\n", encoding="utf-8")
    elif what == "added":
        (project / "c.js").write_text("", encoding="utf-8")
    elif what == "removed":
        (project / "a.js").unlink()
    else:
        (project / "a.js").rename(project / "z.js")
    with pytest.raises(TamperedError):
        runtime.perform("compat", CHECK, "redact_1")


def test_code_that_was_loaded_before_anybody_compared_it_is_not_what_runs(start: Start) -> None:
    folder = "lev_05_scheduler"
    unseen = levers.load(folder, "candidate", "workload")
    seen = levers.load(folder, "candidate", admit=start().guard.admit_code)
    assert seen.candidate is not unseen.candidate
    assert seen.candidate.Wheel is not unseen.candidate.Wheel
    assert levers.load(folder, "candidate", admit=start(instruments=()).guard.admit_code).candidate is unseen.candidate


LARGE = b"// nothing to see\n" * 65_000


def test_a_module_too_large_to_be_analysed_is_compared_all_the_same(project: Path, start: Start) -> None:
    (project / "bundle.js").write_bytes(LARGE)
    sign(project, 2)
    runtime = start()
    assert runtime.perform("compat", CHECK)["files"] == 3
    (project / "bundle.js").write_bytes(LARGE + b"//")
    with pytest.raises(TamperedError, match=r"bundle\.js is not what was signed"):
        runtime.perform("compat", CHECK)


def test_a_module_that_nobody_signed_does_not_make_up_for_one_that_is_gone(project: Path, start: Start) -> None:
    (project / "a.js").unlink()
    (project / "evil.js").write_bytes(LARGE)
    with pytest.raises(TamperedError, match=r"evil\.js is not in the manifest"):
        start().perform("compat", CHECK)


def test_a_module_that_cannot_be_read_cannot_be_what_was_signed(project: Path, start: Start) -> None:
    (project / "a.js").unlink()
    os.mkfifo(project / "a.js")
    with pytest.raises(TamperedError, match=r"a\.js cannot be read"):
        start().perform("compat", CHECK)


def test_signed_files_that_are_no_modules_are_none_of_the_checks_business(project: Path, start: Start) -> None:
    (project / "package.json").write_text("{}", encoding="utf-8")
    sign(project, 2)
    assert start().perform("compat", CHECK)["files"] == 2


def test_a_project_under_an_older_manifest_is_refused(project: Path, start: Start) -> None:
    runtime = start()
    sign(project, 2)
    runtime.perform("compat", CHECK)
    sign(project, 1)
    with pytest.raises(ForgedError, match="version 1 of the manifest, but 2 was seen before"):
        runtime.perform("compat", CHECK)


def test_a_manifest_of_something_else_of_the_same_publisher_is_refused(
    project: Path, state: Path, start: Start
) -> None:
    runtime = start()
    (state.parent / "project.manifest").write_bytes(publisher.sign_folder(project, "another project", 1))
    with pytest.raises(ForgedError, match="a manifest of another project stands where one of project is wanted"):
        runtime.perform("compat", CHECK)
    runtime.close()
    (state / "trust" / "manifest").write_bytes(publisher.sign_folder(state / "trust", "project", 9))
    with pytest.raises(ForgedError, match="one of runtime is wanted"):
        start()


def test_a_project_without_a_manifest_or_with_a_forged_one_is_refused(project: Path, start: Start) -> None:
    runtime = start()
    sign(project, 1, key=publisher.key_of("somebody else"))
    with pytest.raises(ForgedError):
        runtime.perform("compat", CHECK)
    (project.parent / "project.manifest").unlink()
    with pytest.raises(ForgedError, match="has no manifest"):
        runtime.perform("compat", CHECK)


@pytest.mark.parametrize("signed", [False, True])
def test_streams_are_compared(streams: Path, start: Start, signed: bool) -> None:
    assert start().perform("lockstep", COMPARE | {"recorded": {"signed": signed}}, "redact_1")["agreed"] == 1


def test_a_stream_of_another_corpus_is_refused(streams: Path, start: Start) -> None:
    for name in COMPARE["runtimes"]:
        write_stream(streams / name, "0" * 64)
    with pytest.raises(TamperedError, match="another corpus"):
        start().perform("lockstep", COMPARE)


def test_a_recording_that_was_changed_is_refused(streams: Path, start: Start) -> None:
    (streams / "two").write_bytes((streams / "two").read_bytes().replace(b'[0,"a.b",1]', b'[0,"a.b",2]'))
    runtime = start()
    assert runtime.perform("lockstep", COMPARE)["disagreed"] == 1
    with pytest.raises(TamperedError, match="two is not what was signed"):
        runtime.perform("lockstep", COMPARE | {"recorded": {"signed": True}})
