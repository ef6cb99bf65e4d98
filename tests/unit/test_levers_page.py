"""docs/levers.md and the levers' READMEs say the same: what one run measured."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "levers.md").read_text(encoding="utf-8")
FOLDERS = {path.parent.name: path.parent for path in sorted((ROOT / "levers").glob("*/lever.yaml"))}


def section(folder: Path) -> str:
    """What the page says about a lever."""
    [identity] = re.findall(r"^id: (\S+)$", (folder / "lever.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    [found] = re.findall(rf"^## {identity}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_page_was_written_by_the_command() -> None:
    assert PAGE.startswith("# The levers, measured\n\n`prfpipe results --markdown` wrote this page")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_lever_s_readme_quotes_the_page(name: str) -> None:
    readme = " ".join((FOLDERS[name] / "README.md").read_text(encoding="utf-8").split())
    quoted = [line for line in section(FOLDERS[name]).splitlines() if re.match(r"\| [a-z0-9]", line)]
    assert quoted
    assert [line for line in quoted if line not in readme] == []
    [run_id] = re.findall(r"run `([^`]+)`", section(FOLDERS[name]))
    assert run_id in readme
