"""The same bits on every Python: each interpreter of this machine that can, audits all golden bundles.

Looked at are the interpreters on PATH and those of pyenv and uv, and any in PRFPIPE_TEST_PYTHONS (paths with the
system's separator). Each needs `cryptography` for the second verifier, and the core dependencies for the audit.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.bundles import corpus

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
SCRIPT = corpus.ROOT / "in_this_python.py"
PROBE = "import sys, cryptography.hazmat.primitives.asymmetric.ed25519; print('%d.%d' % sys.version_info[:2])"
# Read here, because the suite's own fixture clears it for every test.
GIVEN = os.environ.get("PRFPIPE_TEST_PYTHONS", "")


def interpreters() -> list[str]:
    """One for each version of Python that can run the second verifier, this one first."""
    homes = [
        *Path.home().glob(".pyenv/versions/*/bin/python3"),
        *Path.home().glob(".local/share/uv/python/*/bin/python3"),
    ]
    on_path = [found for version in VERSIONS if (found := shutil.which(f"python{version}"))]
    candidates = [sys.executable, *GIVEN.split(os.pathsep), *map(str, homes), *on_path]
    by_version: dict[str, str] = {}
    for path in filter(None, candidates):
        version = _version(path)
        if version in VERSIONS:
            by_version.setdefault(version, path)
    return list(by_version.values())


def _version(python: str) -> str:
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("golden")
    for name in corpus.names():
        corpus.write(corpus.golden(name).files, folder / name)
    return [_answer(python, folder) for python in interpreters()]


def _answer(python: str, folder: Path) -> dict[str, Any]:
    command = [python, str(SCRIPT), str(folder), str(corpus.TRUSTED)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, f"{python}: {done.stderr[-2000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_python_accepts_and_refuses_the_same(answers: list[dict[str, Any]]) -> None:
    wanted = {name: 1 if corpus.golden(name).refused_by else 0 for name in corpus.names()}
    assert {found["python"]: found["verify"] for found in answers} == {found["python"]: wanted for found in answers}


def test_every_python_reports_the_same_bits(answers: list[dict[str, Any]]) -> None:
    """Every check and every figure of what is accepted; what is refused is refused everywhere."""
    first, *others = [found["audit"] for found in answers if found["audit"]]
    assert _accepted(first) == {name for name in corpus.names() if not corpus.golden(name).refused_by}
    for other in others:
        assert _accepted(other) == _accepted(first)
        assert {name: other[name] for name in _accepted(first)} == {name: first[name] for name in _accepted(first)}


def _accepted(reports: dict[str, Any]) -> set[str]:
    return {name for name, report in reports.items() if report["accepted"]}
