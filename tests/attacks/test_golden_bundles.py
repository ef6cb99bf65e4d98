"""Golden bundles: every good one is accepted, every bad one is refused by the check that is there for it.

They are files, made once by `make golden`: an audit of tomorrow reads what was sealed today. Two verifiers that share
no line of code must come to the same answer on each.
"""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from prfpipe.attest.trust import Trust
from prfpipe.audit import audit_files
from tests.golden.bundles import corpus
from tests.golden.bundles.recipes import cases

VERIFIER = Path(__file__).parents[2] / "docs" / "verify.py"
NAMES = corpus.names()
GOOD = [name for name in NAMES if name.startswith("good-")]
REMAKE = "wording or a format changed: run `make golden`, and look at the difference"


@pytest.fixture(scope="module")
def verifier() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify", VERIFIER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_bundle_is_accepted_or_refused_by_the_check_that_is_there_for_it(name: str) -> None:
    golden = corpus.golden(name)
    report = audit_files(golden.files, corpus.trust())
    failing = {check.id: check.detail for check in report.checks if check.result == "fails"}
    if golden.refused_by:
        assert golden.refused_by in failing
        assert not report.accepted
        assert (report.verdict, report.workings) == (None, None)
    else:
        assert report.accepted, f"{failing}; {REMAKE}"
        assert report.verdict == golden.verdict


@pytest.mark.parametrize("name", NAMES)
def test_a_second_verifier_comes_to_the_same_answer(
    name: str, verifier: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = corpus.golden(name)
    folder = corpus.write(golden.files, tmp_path / "bundle")
    assert verifier.main([str(folder), str(corpus.TRUSTED)]) == (1 if golden.refused_by else 0), capsys.readouterr().out


@pytest.mark.parametrize("name", GOOD)
def test_without_trust_a_bundle_is_intact_and_its_origin_is_not_shown(
    name: str, verifier: ModuleType, tmp_path: Path
) -> None:
    files = corpus.golden(name).files
    report = audit_files(files, Trust())
    noted = [check.id for check in report.checks if check.result == "noted"]
    assert report.accepted
    assert "signature" in noted
    assert report.signature is not None
    assert report.signature.state == "untrusted"
    assert verifier.main([str(corpus.write(files, tmp_path / "bundle"))]) == 0


def test_every_way_to_be_wrong_is_there_and_nothing_else() -> None:
    assert sorted(cases()) == NAMES, REMAKE


def test_the_second_verifier_is_short_and_shares_nothing_with_the_first() -> None:
    text = VERIFIER.read_text()
    tree = ast.parse(text)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - sys.stdlib_module_names == {"cryptography"}
    assert len(_code(text, tree)) < 220


def _code(text: str, tree: ast.Module) -> list[str]:
    """The lines that are neither blank nor documentation."""
    told = [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef) and ast.get_docstring(node)
    ]
    documentation = {number for node in told for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return [line for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in documentation]


def test_the_second_verifier_says_how_it_is_used(verifier: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert verifier.main([]) == 2
    assert "usage: python verify.py BUNDLE" in capsys.readouterr().out
