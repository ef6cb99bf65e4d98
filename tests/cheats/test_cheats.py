"""Candidates that cheat, on the whole loop at the shortest effort: none is ever adopted, and for a reason it may have.

`python -m tests.cheats.rate` has the whole corpus.
"""

import os
from pathlib import Path

import pytest

from prfpipe.lever import load_lever
from tests.cheats.corpus import FOLDER, corpus, put_to_the_test
from tests.cheats.rate import PAGE
from tests.e2e.evaluations import left_behind

CHEATS = {cheat.name: cheat for cheat in corpus()}


@pytest.mark.parametrize("name", [cheat.name for cheat in CHEATS.values() if cheat.ci])
def test_it_gets_a_verdict_that_it_may_get(tmp_path: Path, name: str) -> None:
    found = put_to_the_test(CHEATS[name], tmp_path)
    assert found.is_as_expected, (found.verdict, found.against, found.done.err[-2000:])
    assert left_behind(tmp_path) == []


def test_only_what_is_honest_or_known_not_to_be_caught_may_be_adopted() -> None:
    may = {cheat.name for cheat in CHEATS.values() if "adopt" in cheat.verdicts}
    assert may == {"honest_gain"} | {cheat.name for cheat in CHEATS.values() if cheat.known}


def test_what_is_not_caught_is_told_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missed = page[page.index("## What is not caught") :]
    assert [cheat.name for cheat in CHEATS.values() if cheat.known and f"`{cheat.name}`" not in missed] == []


def test_the_page_has_a_row_for_each_folder() -> None:
    page = PAGE.read_text(encoding="utf-8")
    names = sorted(path.parent.name for path in FOLDER.glob("*/expect.yaml"))
    assert [name for name in names if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("name", [name for name in sorted(CHEATS) if name != "outside_its_path_by_a_link"])
def test_its_code_is_python_and_its_lever_is_valid(tmp_path: Path, name: str) -> None:
    folder = CHEATS[name].lever(tmp_path / "lever")
    for path in folder.glob("*.py"):
        compile(path.read_text(), os.fspath(path), "exec")
    assert load_lever(folder).spec.id == "LEV-CHEAT"
