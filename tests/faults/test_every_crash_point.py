"""Killed, cut off or refused at every place where something becomes durable: the run goes on and nothing is lost.

The places are found by crossing them (`tests.support.fault_points`), so that new code is tried without being listed.
Here a part of them is tried; `make reliability` tries all.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_kill import ROOT, Outcome, enumerate_points
from tests.support.fault_points import NAMES, Crossings, How
from tests.support.fault_runs import Home, go_on

EVERY = {
    How.BEFORE: 89,
    How.AFTER: 97,
    How.HALF: 29,
    How.POWER: 43,
    How.NO_SPACE: 101,
    How.IO_ERROR: 103,
    How.READ_ONLY: 107,
}
"""One place of so many is tried, another selection for each way to fail."""
SEALING = ("statement.dsse.json", "plan.dsse.json", "chains/", "keys/", "runlog.jsonl")
"""Where what is recorded becomes evidence: more of these places are tried, with two ways to fail."""


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The places that an undisturbed run crosses, in order."""
    home = tmp_path_factory.mktemp("undisturbed")
    crossings = Crossings(home)
    with crossings.hooked():
        go_on(Home(home))
    return crossings.crossed


@pytest.mark.parametrize("how", EVERY, ids=lambda how: how.name)
def test_a_run_survives_at_any_place(tmp_path: Path, how: How) -> None:
    found = enumerate_points(tmp_path, [how], every=EVERY[how])
    assert len(found) > 3
    assert _not_survived(found) == []


@pytest.mark.parametrize("how", [How.AFTER, How.POWER], ids=lambda how: how.name)
def test_a_run_survives_where_evidence_is_sealed(tmp_path: Path, how: How) -> None:
    found = enumerate_points(tmp_path, [how], only=SEALING, every=4)
    assert len(found) > 4
    assert _not_survived(found) == []


def _not_survived(found: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in found if outcome.problem or outcome.lost]


def test_the_places_are_all_that_a_run_makes_durable(crossed: list[str]) -> None:
    kinds = {label.partition(" ")[0] for label in crossed}
    assert {"fsync", "link", "unlink", "mkdir", "write", "put"} <= kinds
    for name in ("runlog.jsonl", "samples.jsonl.gz.partial", "statement.dsse.json", "plan.dsse.json", "chains", "keys"):
        assert any(name in label for label in crossed), name


# ---- nothing gets around the hooks ----------------------------------------------------------------------

DURABLE = {
    "prfpipe/disk.py", "prfpipe/bundle.py", "prfpipe/store/files.py", "prfpipe/store/directory.py",
    "prfpipe/store/scratch.py", "prfpipe/store/bundles/fetching.py", "prfpipe/attest/folders.py",
    "prfpipe/attest/keys.py", "prfpipe/host.py", "prfpipe/subject/protocol.py",
}  # fmt: skip
"""Files that may call what changes a disk; everything else goes through them."""
BESIDES = {
    "prfpipe/profilers", "prfpipe/gates", "prfpipe/cli", "prfpipe/loop/stages.py", "prfpipe/subject/child.py",
    "prfpipe/measure.py", "prfpipe/compliance/seen.py",
}  # fmt: skip
"""Files that write what is not evidence: scratch, pages for people, a template."""
_UNHOOKED = {"write_bytes", "write_text", "symlink_to", "hardlink_to", "touch"}


def _calls(path: Path) -> Iterator[str]:
    """The functions of `os` that a module calls, and the methods that write past them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of_os = isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
        if (of_os and node.func.attr in NAMES) or node.func.attr in _UNHOOKED or _opens_for_writing(node):
            yield node.func.attr


def _opens_for_writing(call: ast.Call) -> bool:
    modes = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    named = isinstance(call.func, ast.Attribute) and call.func.attr == "open"
    texts = {mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)}
    return named and bool(texts & {"w", "wb", "a", "ab", "x", "xb", "w+", "r+b"})


def test_only_known_files_change_a_disk() -> None:
    found = {str(path.relative_to(ROOT)): set(_calls(path)) for path in (ROOT / "prfpipe").rglob("*.py")}
    strangers = {
        name: calls
        for name, calls in found.items()
        if calls and name not in DURABLE and not any(name.startswith(place) for place in BESIDES)
    }
    assert strangers == {}


def test_files_that_make_evidence_durable_write_through_nothing_but_what_is_hooked() -> None:
    for name in DURABLE:
        calls = set(_calls(ROOT / name)) if (ROOT / name).exists() else set()
        assert not calls & _UNHOOKED, name
        assert "open" not in calls, name


def test_functions_of_os_are_not_taken_out_of_it_where_a_hook_would_miss_them() -> None:
    for path in (ROOT / "prfpipe").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            taken = (
                {name.name for name in node.names}
                if isinstance(node, ast.ImportFrom) and node.module == "os"
                else set()
            )
            assert not taken & set(NAMES), path
