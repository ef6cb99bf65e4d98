"""What the repository promises about itself: its rules hold, its lock is complete, its links lead on."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.programs import EVERYTHING

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
PACKAGES = ("prfpipe/", "flows/")
# In parts, since this file may not name them either.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
)
MARKDOWN_LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
FENCED_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def repository_files() -> list[Path]:
    """Every file that is tracked or about to be: what a clone would hold; where it is none, the test is skipped."""
    if not (ROOT / ".git").exists() and os.environ.get(EVERYTHING) != "1":
        pytest.skip("it is no clone: what it would hold is not known")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def locked_versions() -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", LOCK.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def declared_requirements() -> Iterator[Requirement]:
    declared = project()
    yield from map(Requirement, declared["dependencies"])
    for extra in declared["optional-dependencies"].values():
        yield from map(Requirement, extra)


def run(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, check=False, env=environment or None, timeout=120
    )


def test_rooms_import_downwards_only() -> None:
    report = run(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert report.returncode == 0, report.stdout + report.stderr


# What only an extra brings; where it is missing, a command says what to install (tests/unit/test_history.py).
OF_AN_EXTRA = {"otava"}


def test_an_installed_room_imports_nothing_that_the_wheel_does_not_require() -> None:
    core = {canonicalize_name(Requirement(text).name) for text in project()["dependencies"]}
    distributions = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (ROOT / "prfpipe").rglob("*.py")
        for module in top_level_imports(path) - sys.stdlib_module_names - {"prfpipe", "flows"} - OF_AN_EXTRA
        if not core & {canonicalize_name(name) for name in distributions.get(module, [])}
    }
    assert undeclared == set()


def test_the_runner_starts_in_an_interpreter_that_has_only_the_standard_library() -> None:
    assert top_level_imports(ROOT / "prfpipe" / "subject" / "runner.py") <= sys.stdlib_module_names


def test_the_wheel_holds_both_packages_whole_and_nothing_else(tmp_path: Path) -> None:
    built = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path)))
    packed = {name for name in ZipFile(built).namelist() if ".dist-info/" not in name}
    assert packed == {name for path in repository_files() if (name := str(path.relative_to(ROOT))).startswith(PACKAGES)}


def top_level_imports(path: Path) -> set[str]:
    """Modules that running the file may import; what stands under TYPE_CHECKING is for the type checker."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    imported = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    return {name.split(".")[0] for node in imported for name in imported_names(node)}


def imported_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if node.module and node.level == 0 else []


def test_lock_holds_names_and_hashes_only() -> None:
    lines = [line.strip().removesuffix("\\").strip() for line in LOCK.read_text().splitlines()]
    pin = re.compile(r"[A-Za-z0-9._-]+==[^\s;/]+( ; [^/]+)?")
    digest = re.compile(r"--hash=sha256:[0-9a-f]{64}")
    assert [line for line in lines if not pin.fullmatch(line) and not digest.fullmatch(line)] == []


def test_lock_has_a_hash_for_every_pin() -> None:
    entries = re.split(r"^(?=\S)", LOCK.read_text(), flags=re.MULTILINE)
    assert [entry for entry in entries if entry and "--hash=" not in entry] == []


def test_lock_answers_every_requirement_of_the_project() -> None:
    locked = locked_versions()
    unanswered = [
        str(requirement)
        for requirement in declared_requirements()
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]
    assert unanswered == [], "pyproject.toml has moved on: make lock"


def test_no_file_names_a_package_registry_host() -> None:
    named = re.compile("|".join(map(re.escape, REGISTRY_HOSTS)).encode())
    assert [path for path in repository_files() if named.search(path.read_bytes())] == []


def test_every_relative_link_in_markdown_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in repository_files()
        if page.suffix == ".md"
        for target in relative_links(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def relative_links(markdown: str) -> list[str]:
    targets = MARKDOWN_LINK.findall(FENCED_CODE.sub("", markdown))
    local = [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:|#", target)]
    return [target.split("#")[0] for target in local]


def test_relative_links_are_found_outside_code_only() -> None:
    page = "[a](docs/a.md#part) ![b](b.svg) [c](https://c.example) [d](#d)\n```\n[f](f.md)\n```\n"
    assert relative_links(page) == ["docs/a.md", "b.svg"]


def test_changelog_begins_with_the_version_that_is_built() -> None:
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == project()["version"]


def test_help_lists_every_make_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    listed = set(re.findall(r"^  make ([\w-]+)", run("make", "help").stdout, re.MULTILINE))
    assert listed == set(phony.group(1).split())


def test_set_up_refuses_an_old_python_and_says_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    refusal = run(ROOT / ".ci" / "find-python", PYTHON=str(old), PATH="/usr/bin:/bin")
    assert refusal.returncode == 1
    assert "at least 3.11" in refusal.stderr
    assert "PYTHON=" in refusal.stderr


@pytest.mark.parametrize("choice", ["", sys.executable])
def test_set_up_finds_a_python_by_itself_or_takes_the_one_named(choice: str) -> None:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    found = run(ROOT / ".ci" / "find-python", PYTHON=choice, PATH=path)
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).name.startswith("python3") or found.stdout.strip() == choice
