"""What every lever folder must be: one suite for all of them, whatever they are about.

Their code runs in child processes only. The proof is the product's own, made once for each lever, of the scenarios of
quick effort; every other scenario answers one operation.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

from prfpipe import doctrine
from prfpipe.cli import run as prfpipe
from prfpipe.cli.parser import parse
from prfpipe.lever import Lever, find_lever, load_lever
from prfpipe.loop.smoke import answer_once
from prfpipe.models import ProofRecord
from prfpipe.proof_rules import failures
from tests.support.lever_folders import (
    ROOT,
    TIMEOUT,
    Command,
    commands,
    proof_of,
    quick_scenarios,
    readme_of,
    section,
    streams,
    table_rows,
)

FOLDERS = sorted(path.parent for path in (ROOT / "levers").glob("*/lever.yaml"))
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
OPERATIONS = 20


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def lever(request: pytest.FixtureRequest) -> Lever:
    return load_lever(request.param)


@pytest.fixture(scope="module")
def readme(lever: Lever) -> str:
    return readme_of(lever.root)


@pytest.fixture(scope="module")
def proof(lever: Lever, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> ProofRecord:
    own = tmp_path_factory.getbasetemp()
    return proof_of(lever, own if worker_id == "master" else own.parent)


# ---- the folder -----------------------------------------------------------------------------------------


def test_the_folder_is_named_after_the_lever(lever: Lever) -> None:
    assert lever.root.name.startswith(lever.spec.id.lower().replace("-", "_") + "_")


def test_what_the_doctrine_says_of_it_stands_in_it(lever: Lever) -> None:
    [said] = [item for item in doctrine.LEVERS if item.id == lever.spec.id]
    spec = lever.spec
    assert (spec.owner_track, spec.expected_speedup, spec.risk) == (said.owner_track, said.expected, said.risk)


def test_it_has_scenarios_where_it_helps_and_where_it_does_not(lever: Lever) -> None:
    assert len(lever.spec.scenarios) >= 3


def test_every_mutant_says_its_bug_and_is_listed(lever: Lever) -> None:
    """One that is right and slow is for the strata, since no proof can see it: it says so and is not listed."""
    files = {path.relative_to(lever.root).as_posix(): path for path in (lever.root / "mutants").glob("*.py")}
    said = {name: ast.get_docstring(ast.parse(path.read_bytes())) or "" for name, path in files.items()}
    assert [name for name, text in said.items() if len(text.split()) < 5] == []
    slow = {name for name, text in said.items() if "`must_hold`" in text and lever.spec.strata}
    listed = {mutant.python for mutant in lever.spec.mutants}
    assert len(listed) >= 3
    assert listed == files.keys() - slow


# ---- the proof ------------------------------------------------------------------------------------------


def test_nothing_speaks_against_it(proof: ProofRecord) -> None:
    assert failures(proof) == ()


@pytest.mark.parametrize("variant", ["baseline", "candidate"])
def test_each_conformance_case_holds_on_both_variants(proof: ProofRecord, variant: str) -> None:
    [result] = [item for item in proof.conformance if item.variant == variant]
    assert len(result.cases) >= 3
    assert [case.name for case in result.cases if not case.passed] == []


def test_each_edge_case_is_answered_as_the_baseline_answers_it(proof: ProofRecord) -> None:
    assert len(proof.edge_cases) >= 3
    assert [case.name for case in proof.edge_cases if not case.passed] == []


def test_edge_cases_reach_every_line_and_branch_of_the_optimized_path(lever: Lever, proof: ProofRecord) -> None:
    covered = {file.file: (file.missing_lines, file.missing_branches) for file in proof.coverage or ()}
    assert covered == {name: ((), ()) for name in lever.spec.optimized_path if name.endswith(".py")}


def test_each_mutant_is_caught_by_its_case(lever: Lever, proof: ProofRecord) -> None:
    assert [item.mutant for item in proof.mutants] == [item.name for item in lever.spec.mutants]
    assert [f"{item.mutant}: {item.detail}" for item in proof.mutants if not item.caught] == []


def test_the_oracle_notices_every_kind_of_bad_output(proof: ProofRecord) -> None:
    assert [bad.kind for bad in proof.self_test if bad.tried and not bad.caught] == []
    assert sum(bad.tried > 0 for bad in proof.self_test) >= 6


def test_generated_operations_of_quick_scenarios_agree_and_so_do_two_baselines(
    lever: Lever, proof: ProofRecord
) -> None:
    compared = {(item.scenario, item.against) for item in proof.lockstep if item.operations and not item.differences}
    names = {item.name for item in quick_scenarios(lever)}
    assert compared == {*((name, "candidate") for name in names), (lever.spec.primary.name, "baseline")}


def test_generated_operations_of_the_other_scenarios_agree(lever: Lever, tmp_path: Path) -> None:
    others = tuple(item for item in lever.spec.scenarios if item not in quick_scenarios(lever))
    rest = replace(lever, spec=lever.spec.model_copy(update={"scenarios": others}))
    assert [name for name, same in answer_once(rest, tmp_path, timeout=TIMEOUT).items() if not same] == []


# ---- the workload ---------------------------------------------------------------------------------------


def test_operations_follow_from_the_seed_alone_and_none_comes_twice(lever: Lever) -> None:
    for scenario in lever.spec.scenarios:
        first, other = streams(lever, scenario, (3, 4), OPERATIONS, hash_seed="0")
        [again] = streams(lever, scenario, (3,), OPERATIONS, hash_seed="1")
        assert first == again, scenario.name
        assert len({json.dumps(operation, sort_keys=True) for operation in first}) == OPERATIONS, scenario.name
        # Where nothing changes between operations, nothing is drawn either: such a scenario is measured later.
        if scenario in quick_scenarios(lever):
            assert not [operation for operation in first if operation in other], scenario.name


# ---- README.md ------------------------------------------------------------------------------------------

RISKS = "How .* stays? right"


def test_the_readme_has_every_section(readme: str) -> None:
    words = ("**What.**", "**Why.**", "**Claim.**", "Measured result")
    missing = [word for word in words if word not in readme]
    assert missing + [name for name in (RISKS, "Limits", "Data", "Run") if not section(readme, name)] == []


def test_the_readme_names_every_scenario_and_every_file_of_code(lever: Lever, readme: str) -> None:
    quoted = [*re.findall(r"`([^`\n]+)`", readme), *re.findall(r"^\| ([^ |]+)", readme, re.MULTILINE)]
    names = [scenario.name for scenario in lever.spec.scenarios]
    assert [name for name in names if not any(fnmatch(name, pattern) for pattern in quoted)] == []
    assert [path.name for path in lever.root.glob("*.py") if path.name not in readme] == []


def test_each_risk_has_what_is_done_and_what_catches_it(lever: Lever, readme: str, proof: ProofRecord) -> None:
    """What stands in backticks in the last column is (a part of) the name of a case, of a mutant or of a test."""
    rows = table_rows(section(readme, RISKS))
    assert len(rows) >= 3
    assert [row for row in rows if len(row) != 3 or not all(row)] == []
    caught = " ".join(row[2] for row in rows)
    assert [item.name for item in lever.spec.mutants if f"`{item.name}`" not in caught] == []
    there = "\n".join(_catchers(lever, proof))
    assert [name for name in re.findall(r"`([^`]+)`", caught) if name.strip("… ") not in there] == []


def _catchers(lever: Lever, proof: ProofRecord) -> Iterator[str]:
    yield from (case.name for case in (*proof.edge_cases, *proof.conformance[0].cases))
    yield from (mutant.name for mutant in lever.spec.mutants)
    for path in Path(__file__).parent.glob(f"test_{lever.spec.id.lower().replace('-', '_')}*.py"):
        yield from re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)


# What records or tunes takes minutes or needs other runtimes: of that only the flags are looked at.
LONG = re.compile(r"record|tune")


def test_the_readme_says_how_to_run_it(lever: Lever) -> None:
    assert [command for command in commands(lever.root) if command.words[:2] == ("prfpipe", "evaluate")]


@pytest.mark.parametrize("command", [each for folder in FOLDERS for each in commands(folder)], ids=str)
def test_each_command_of_the_readme_works(command: Command) -> None:
    match command.words:
        case ("prfpipe", *arguments):
            _check_own(command, arguments)
        case ("python", "-m", "pytest", *arguments):
            assert [word for word in arguments if not word.startswith("-") and not (command.cwd / word).exists()] == []
        case ("python", "-m", "pip", "install", *arguments):
            known = {"--no-deps", *(item for extra in EXTRAS.values() for item in extra)}
            assert [word for word in arguments if word not in known] == []
        case ("npm", "install", *arguments):
            assert re.search(r"@\d+\.\d+\.\d+$", arguments[-1]), "without a version it installs another one tomorrow"
        case ("python", script, *arguments):
            _check_script(command, script, arguments)
        case _:
            pytest.fail(f"no rule says how to check `{command}`")


def _check_own(command: Command, arguments: list[str]) -> None:
    parsed = parse(arguments)
    if (named := getattr(parsed, "lever", None) or getattr(parsed, "folder", None)) and named != "all":
        inside = command.cwd / named
        assert find_lever(str(inside) if inside.is_dir() else named, ROOT / "levers").root == command.lever


def _check_script(command: Command, script: str, arguments: list[str]) -> None:
    long = LONG.search(" ".join([script, *arguments]))
    argv = [sys.executable, script, *(["--help"] if long else arguments)]
    ran = subprocess.run(argv, cwd=command.cwd, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    if long:
        assert [word for word in arguments if word.startswith("--") and word not in ran.stdout] == []


# ---- engines --------------------------------------------------------------------------------------------


def test_the_extra_of_the_project_installs_what_the_lever_requires(lever: Lever) -> None:
    extra = EXTRAS.get(lever.spec.id.lower(), [])
    assert [item for item in lever.spec.requires if item not in extra or "==" not in item] == []
    # What is in the extra besides serves recording or tuning, and the page says how to install it.
    installed = {word for command in commands(lever.root) if "pip" in command.words for word in command.words}
    assert [item for item in extra if item not in lever.spec.requires and item not in installed] == []


@pytest.mark.parametrize("arguments", [["check"], ["evaluate", "--inline"]], ids=" ".join)
def test_an_engine_that_does_not_exist_is_one_line_with_the_command_that_installs_it(
    lever: Lever,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = shutil.copytree(lever.root, tmp_path / lever.root.name, ignore=shutil.ignore_patterns("__pycache__"))
    wanted = [*lever.spec.requires, "no-such-engine==9.9"]
    text = (copy / "lever.yaml").read_text(encoding="utf-8")
    without = re.sub(r"^requires:(?:[^\n]*\n)(?:[ #-][^\n]*\n)*", "", text, flags=re.MULTILINE)
    (copy / "lever.yaml").write_text(f"{without}\nrequires: {json.dumps(wanted)}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert prfpipe([arguments[0], str(copy), *arguments[1:]]) == 2
    _expect_hint(capsys, ["no-such-engine==9.9"])


def test_each_engine_that_is_not_installed_is_named(
    lever: Lever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = metadata.distribution
    monkeypatch.chdir(tmp_path)
    for hidden in lever.spec.requires:

        def distribution(name: str, hidden: str = hidden) -> metadata.Distribution:
            if hidden.startswith(f"{name}=="):
                raise metadata.PackageNotFoundError(name)
            return real(name)

        monkeypatch.setattr("prfpipe.lever.folder.distribution", distribution)
        assert prfpipe(["check", str(lever.root)]) == 2
        _expect_hint(capsys, [hidden])


def _expect_hint(capsys: pytest.CaptureFixture[str], missing: list[str]) -> None:
    said, hint = capsys.readouterr().err.splitlines()
    assert f"needs {', '.join(missing)}, which is not installed here" in said
    assert hint.split() == ["python", "-m", "pip", "install", "--no-deps", *missing]
