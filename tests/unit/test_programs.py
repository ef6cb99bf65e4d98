"""Tests that need a program which is not there: left out with a line that says so, unless everything is asked for."""

from pathlib import Path

import pytest

from tests.conftest import NEEDS
from tests.support import programs


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(programs.EVERYTHING, raising=False)
    return tmp_path


def _install(folder: Path, name: str) -> Path:
    program = folder / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_what_is_missing_is_left_out_and_named(installed: Path) -> None:
    [(place, line)] = programs.left_out({"browser": ["chromium"]}).items()
    assert place == "browser"
    assert line.startswith("left out: tests/browser needs chromium, not installed")


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_any_name_of_the_browser_will_do(installed: Path, name: str) -> None:
    program = _install(installed, name)
    assert programs.find("chromium") == str(program)
    assert programs.left_out({"browser": ["chromium"]}) == {}


def test_one_missing_program_of_two_is_named_alone(installed: Path) -> None:
    _install(installed, "here")
    assert programs.required("here", "no-such-program") == ["no-such-program"]


def test_nothing_is_left_out_where_everything_is_asked_for(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(programs.EVERYTHING, "1")
    assert programs.left_out({"browser": ["chromium"]}) == {}


def test_every_place_that_needs_a_program_is_there() -> None:
    assert [place for place in NEEDS if not (Path(__file__).parents[1] / place).exists()] == []
