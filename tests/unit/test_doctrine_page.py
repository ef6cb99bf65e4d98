"""docs/doctrine.md is true: every clause stands in it once, with its figures, its code and a test that exists."""

import ast
import re
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from prfpipe import doctrine, layout

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "doctrine.md").read_text(encoding="utf-8")
ROOMS = ("calibration/", "docs/", "flows/", "gates/", "levers/", "prfpipe/", "tests/")
ROWS = re.findall(r"^\| (?!:?--)(.+?) \|$", PAGE, re.MULTILINE)
QUOTED = re.findall(r"`([^`]+)`", PAGE)
TESTS = sorted({text for text in QUOTED if "::" in text})
PATHS = sorted({text for text in QUOTED if text.startswith(ROOMS) and "::" not in text})


def ids(items: tuple[object, ...]) -> list[str]:
    return [getattr(item, "id", None) or getattr(item, "code", "") for item in items]


CLAUSES = [
    "MS-01",
    *ids(doctrine.PRINCIPLES),
    *ids(doctrine.LEVERS),
    *ids(doctrine.ARTIFACTS),
    *ids(doctrine.EVENT_CODES),
    *ids(doctrine.INVARIANTS),
    *(owner.subsystem for owner in doctrine.OWNERS),
]


def row(clause: str) -> str:
    """The one row that is about this clause."""
    [found] = [text for text in ROWS if text.split(" | ")[0] == clause]
    return str(found)


@cache
def functions_of(name: str) -> set[str]:
    """The test functions of a file, without importing it."""
    tree = ast.parse((ROOT / name).read_bytes())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_stands_once_with_its_code_and_a_test(clause: str) -> None:
    quoted = re.findall(r"`([^`]+)`", row(clause))
    assert [text for text in quoted if text in PATHS]
    assert [text for text in quoted if text in TESTS]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("test", TESTS)
def test_every_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert name in functions_of(file)


def test_nothing_is_only_planned() -> None:
    assert "planned" not in re.sub(r"`[^`]+`", "", PAGE).lower()


@pytest.mark.parametrize("principle", doctrine.PRINCIPLES, ids=lambda item: item.id)
def test_principles_stand_with_their_figures(principle: doctrine.Principle) -> None:
    unit = {"percent": "%"}.get(principle.unit, principle.unit)
    assert principle.budget is None or f"< {principle.budget:g} {unit}" in row(principle.id)


@pytest.mark.parametrize("lever", doctrine.LEVERS, ids=lambda item: item.id)
def test_levers_stand_with_their_range_and_owner(lever: doctrine.Lever) -> None:
    low, high = lever.expected
    assert row(lever.id).startswith(f"{lever.id} | {low:g}-{high:g}x | {lever.owner_track} | ")


@pytest.mark.parametrize("artifact", doctrine.ARTIFACTS, ids=lambda item: item.id)
def test_artifacts_stand_with_their_fields_and_their_files(artifact: doctrine.Artifact) -> None:
    assert row(artifact.id).startswith(f"{artifact.id} | {', '.join(artifact.fields)} | ")
    memory = layout.ALLOCATION_FILES if artifact.id == "ART-02" else ()
    files = {PurePosixPath(name).name for name in (*layout.REQUIRED[artifact.id], *memory)}
    assert {name for name in files if f"`{name}`" not in row(artifact.id)} == set()


@pytest.mark.parametrize("event", doctrine.EVENT_CODES, ids=lambda item: item.code)
def test_events_stand_with_their_level(event: doctrine.EventCode) -> None:
    assert row(event.code).startswith(f"{event.code} | {event.level} | ")


@pytest.mark.parametrize("owner", doctrine.OWNERS, ids=lambda item: item.subsystem)
def test_owners_stand_with_their_track_and_concerns(owner: doctrine.Owner) -> None:
    _, track, concerns, *_ = row(owner.subsystem).split(" | ")
    assert (track.split()[0], concerns) == (owner.track, ", ".join(owner.concerns))
