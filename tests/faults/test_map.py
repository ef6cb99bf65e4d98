"""The map of cases to tests is true, and docs/reliability.md is what its record says."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from tests.reliability.page import render

TESTS = Path(__file__).resolve().parents[1]
DOCS = TESTS.parent / "docs"
MAP = (TESTS / "faults" / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+) \| `([a-z0-9_/]+\.py)::(test_\w+)` \|$", MAP, re.MULTILINE)
HEADS = ("Crash", "Disk and system", "Store", "Tampering", "Claims", "Candidates that cheat or fail", "Hostile input")


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize(("case", "file", "name"), ROWS, ids=[case[:60] for case, _, _ in ROWS])
def test_the_test_that_shows_a_case_exists(case: str, file: str, name: str) -> None:
    assert name in functions_of(file), case


def test_every_row_of_the_map_names_a_test() -> None:
    lines = [line for line in MAP.splitlines() if line.startswith("| ") and not line.startswith("| case")]
    assert len(lines) == len(ROWS)
    assert [head for head in HEADS if f"## {head}\n" not in MAP] == []


def test_the_page_is_what_its_record_says() -> None:
    record = json.loads((DOCS / "reliability.json").read_bytes())
    assert (DOCS / "reliability.md").read_text(encoding="utf-8") == render(record)


def test_the_page_tells_of_no_loss_and_of_nothing_that_got_through() -> None:
    parts = json.loads((DOCS / "reliability.json").read_bytes())["parts"]
    rows = [row for part in parts.values() for row in part["rows"]]
    assert [row for row in rows if row.get("failed") or row.get("lost")] == []
    assert all(row["tried"] == row["refused"] for row in parts["tampering"]["rows"])
