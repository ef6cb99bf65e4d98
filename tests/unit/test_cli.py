"""The command line through its door: help, usage, messages, one JSON document, and how fast it starts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prfpipe.attest import read_statement
from prfpipe.layout import STATEMENT
from prfpipe.store import open_store
from prfpipe.store.evidence import archive
from tests.support import bundles
from tests.support.commands import prfpipe
from tests.support.levers import BASELINE, CANDIDATE, write_lever

COMMANDS = [
    [], ["evaluate"], ["results"], ["levers"], ["check"], ["new"], ["schema"], ["bundles"], ["fetch"], ["audit"],
    ["store"], ["archive"], ["store", "probe"], ["store", "check"], ["store", "clean"], ["doctrine"], ["gate"],
]  # fmt: skip
TIMEOUT_SECONDS = 300
CONSOLE_SCRIPT = "import sys; from prfpipe.cli import main; sys.argv[0] = 'prfpipe'; sys.exit(main())"


def child(*argv: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """The command line as its console script runs it."""
    words = [sys.executable, *options.pop("flags", ()), "-c", CONSOLE_SCRIPT, *argv]
    return subprocess.run(
        words, check=False, **{"capture_output": True, "text": True, "timeout": TIMEOUT_SECONDS, **options}
    )


@pytest.mark.parametrize("fault", ["ValueError('x' * 3)", "OSError(13, 'Permission denied')"])
def test_a_defect_is_no_answer(fault: str) -> None:
    """Python would end with 1, which says `reject`, `over budget` and `refused`."""
    broken = "import prfpipe.cli as cli\ndef run(argv=None):\n    raise " + fault + "\ncli.run = run\n"
    words = [sys.executable, "-c", broken + CONSOLE_SCRIPT]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert done.returncode == 4
    assert "Traceback" in done.stderr
    assert "this is a defect of prfpipe, not an answer" in done.stderr


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands look into the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.build(tmp_path_factory.mktemp("runs"), bundles.Parts.of(bundles.plan()))


@pytest.fixture(scope="module")
def store(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = str(tmp_path_factory.mktemp("store"))
    manifest = read_statement((bundle / STATEMENT).read_bytes()).files
    archive(open_store(place), bundle, "LEV-01", bundles.RUN_ID, manifest)
    return place


# ---- help and usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    done = prfpipe(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert "example" in done.out
    assert f"prfpipe {' '.join(command)}".strip() in done.out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["unknown"],
        ["evaluate"],
        ["evaluate", "LEV-01", "--effort", "fast"],
        ["evaluate", "LEV-01", "--seed", "one"],
        ["levers", "surplus"],
        ["fetch"],
        ["fetch", "latest", "--to", "here", "--link"],
        ["store"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_bad_usage_ends_with_2_and_the_usage_on_stderr(argv: list[str]) -> None:
    done = prfpipe(*argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: prfpipe")


def test_the_version_is_that_of_the_package() -> None:
    assert prfpipe("--version").out == f"prfpipe {bundles.own_version()}\n"


# ---- failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["evaluate", "LEV-99", "--inline"], 2, "no lever 'LEV-99'"),
        (["check", "nowhere"], 2, "nowhere/lever.yaml: No such file"),
        (["new", "."], 2, ". exists already"),
        (["bundles", "--since", "yesterday"], 2, "--since 'yesterday' is not a day"),
        (["bundles", "--store", "gopher://x"], 2, "no store for 'gopher' URLs"),
        (["bundles", "--store", "s3://bucket?endpoint=http://me:hunter2@host"], 2, "must not hold credentials"),
        (["fetch", "latest", "--to", "here"], 4, "has no bundle"),
        (["fetch", bundles.RUN_ID, "--to", "here"], 4, f"has no bundle {bundles.RUN_ID}"),
        (["fetch", "../..", "--to", "here"], 2, "'../..' is not a run id"),
        (["audit", bundles.RUN_ID], 4, f"has no bundle {bundles.RUN_ID}"),
        (["audit", "no/such/folder"], 2, "no/such/folder: no such folder"),
        (["audit", "typo"], 2, "'typo' is not a run id"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_a_failure_is_one_message_with_what_to_do_on_stderr(
    argv: list[str], code: int, said: str, flags: list[str]
) -> None:
    flags = [] if argv[0] == "new" else flags
    done = prfpipe(*argv, *flags)
    assert (done.code, done.out) == (code, "")
    message, hint = done.err.splitlines()
    assert message.startswith("prfpipe: ")
    assert said in message
    assert hint.startswith("  ")
    assert "hunter2" not in done.err


def test_resuming_a_run_that_is_not_there_names_it(home: Path) -> None:
    done = prfpipe("evaluate", str(write_lever(home / "lever")), "--inline", "--resume", "../lever")
    assert (done.code, done.out) == (2, "")
    assert "no run '../lever' in .prfpipe/runs" in done.err


def test_a_run_is_not_resumed_at_another_effort_or_seed(home: Path, bundle: Path) -> None:
    runs = home / ".prfpipe" / "runs" / bundle.name
    shutil.copytree(bundle, runs)
    for words in (("--effort", "rigorous"), ("--seed", "7")):
        done = prfpipe("evaluate", str(write_lever(home / "lever")), "--inline", "--resume", bundle.name, *words)
        assert done.code == 2
        assert f"{bundle.name} was planned with " in done.err
        shutil.rmtree(home / "lever")


@pytest.mark.parametrize("words", [("--reprofiles", "latest"), ("--reprofiles=20261123",), ("--reprof", "x")])
def test_what_is_profiled_again_is_named_by_the_id_of_a_run(home: Path, words: tuple[str, ...]) -> None:
    done = prfpipe("evaluate", str(write_lever(home / "lever")), "--inline", *words)
    assert (done.code, done.out) == (2, "")
    assert not (home / ".prfpipe").exists()


def test_a_setting_that_is_not_valid_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRFPIPE_SUBJECT_TIMEOUT_SECONDS", "soon")
    done = prfpipe("levers")
    assert done.code == 2
    assert "PRFPIPE_SUBJECT_TIMEOUT_SECONDS" in done.err


def test_messages_cannot_drive_a_terminal() -> None:
    done = prfpipe("evaluate", "LEV\x1b[2J\x07", "--inline")
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "\x07" not in done.err


def test_output_that_cannot_be_written_is_a_failure_and_no_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        done = child("schema", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 4
    assert done.stderr.startswith("prfpipe: the output cannot be written: No space left on device\n")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_went_away_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = child("schema", stdout=writing, stderr=subprocess.PIPE, capture_output=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_terminal_without_unicode_gets_escapes_instead_of_a_traceback(home: Path) -> None:
    write_lever(home / "levers" / "one", title="Schnell ×2")
    done = child("levers", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert r"Schnell \xd72" in done.stdout


# ---- lever folders -------------------------------------------------------------------------------------


def test_levers_are_listed_with_their_folders(home: Path) -> None:
    folder = write_lever(home / "levers" / "one")
    [lever] = prfpipe("levers", "--json").document
    assert (lever["id"], lever["folder"]) == ("LEV-TEST", str(folder))
    assert "LEV-TEST" in prfpipe("levers").out


def test_without_levers_it_says_how_to_get_one() -> None:
    assert prfpipe("levers", "--json").document == []
    assert "prfpipe new levers/NAME" in prfpipe("levers").out


@pytest.mark.parametrize(("name", "identity"), [("my_lever", "MY-LEVER"), ("2nd try!", "L-2ND-TRY")])
def test_a_new_lever_folder_passes_the_check(home: Path, name: str, identity: str) -> None:
    made = prfpipe("new", name)
    assert made.code == 0
    assert f"prfpipe check {name}" in made.out
    document = prfpipe("check", name, "--json").document
    assert document == {
        "lever": identity,
        "folder": str(home / name),
        "scenarios": {"words-2000": True, "words-20": True},
        "mutants": {"splits_at_spaces": "white space only"},
    }


def test_nothing_is_written_over_by_new(home: Path) -> None:
    kept = write_lever(home / "lever") / "candidate.py"
    assert prfpipe("new", "lever").code == 2
    assert kept.read_text() == CANDIDATE


def test_variants_that_disagree_fail_the_check(home: Path) -> None:
    write_lever(home / "lever", candidate=BASELINE.replace("0.0", "1.0"))
    done = prfpipe("check", "lever")
    assert done.code == 1
    assert "small: DIFFERENT ANSWERS" in done.out


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ("import not_installed_anywhere\n", "No module named 'not_installed_anywhere'"),
        ("class Subject:\n    pass\n", "candidate failed in init"),
        ("def broken(:\n", "SyntaxError"),
        ("import os\nos._exit(7)\n", "candidate went away without an answer"),
    ],
)
def test_a_variant_that_cannot_answer_fails_the_check_with_its_own_words(home: Path, candidate: str, said: str) -> None:
    write_lever(home / "lever", candidate=candidate)
    done = prfpipe("check", "lever")
    assert (done.code, done.out) == (4, "")
    assert said in done.err
    assert "prfpipe: " in done.err


def test_a_mutant_without_its_case_fails_the_check_and_the_nearest_name_is_given(home: Path) -> None:
    mutants = {"bug": {"python": "bug.py", "caught_by": "No words"}}
    write_lever(home / "lever", files={"bug.py": CANDIDATE}, mutants=mutants)
    done = prfpipe("check", "lever")
    assert done.code == 2
    assert "mutant `bug` is to be caught by `No words`, but no edge case" in done.err
    assert "the nearest is `no words`" in done.err


def test_an_engine_that_is_not_installed_is_named_before_anything_starts(home: Path) -> None:
    write_lever(home / "lever", requires=["not-installed-anywhere>=1"])
    done = prfpipe("check", "lever")
    assert done.code == 2
    assert "not-installed-anywhere" in done.err


def test_the_schema_describes_lever_yaml() -> None:
    schema = prfpipe("schema").document
    assert {"id", "scenarios", "variants", "optimized_path"} <= schema["properties"].keys()


# ---- evidence ------------------------------------------------------------------------------------------


def test_bundles_are_listed_by_lever_and_day(store: str) -> None:
    [found] = prfpipe("bundles", "--store", store, "--json").document
    assert (found["run_id"], found["lever"]) == (bundles.RUN_ID, "LEV-01")
    assert found["bundle"].startswith(store)
    assert bundles.RUN_ID in prfpipe("bundles", "--store", store).out
    assert prfpipe("bundles", "--store", store, "--lever", "LEV-02", "--json").document == []
    assert prfpipe("bundles", "--store", store, "--since", "2026-11-24", "--json").document == []
    assert len(prfpipe("bundles", "--store", store, "--since", "2026-11-23", "--json").document) == 1


def test_a_store_that_does_not_exist_has_no_bundles_and_is_not_made(home: Path) -> None:
    assert prfpipe("bundles", "--store", "nowhere", "--json").document == []
    assert "no bundles in" in prfpipe("bundles", "--store", "nowhere").out
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("wanted", ["latest", bundles.RUN_ID])
def test_a_fetched_bundle_is_the_archived_one_and_audits(store: str, bundle: Path, wanted: str) -> None:
    fetched = prfpipe("fetch", wanted, "--lever", "LEV-01", "--to", "copy", "--store", store, "--json")
    assert fetched.code == 0
    assert fetched.document == {"run_id": bundles.RUN_ID, "lever": "LEV-01", "folder": str(Path("copy").absolute())}
    assert (Path("copy") / STATEMENT).read_bytes() == (bundle / STATEMENT).read_bytes()
    assert prfpipe("audit", "copy").code == 0


def test_a_folder_in_use_is_not_fetched_into(home: Path, store: str) -> None:
    (home / "copy").mkdir()
    (home / "copy" / "mine").write_text("kept")
    done = prfpipe("fetch", "latest", "--to", "copy", "--store", store)
    assert done.code == 4
    assert "is in use" in done.err
    assert [path.name for path in (home / "copy").iterdir()] == ["mine"]


def test_an_audit_accepts_a_folder_and_a_run_in_the_store_alike(store: str, bundle: Path) -> None:
    here = prfpipe("audit", str(bundle), "--json").document
    there = prfpipe("audit", bundles.RUN_ID, "--store", store, "--json").document
    assert (here["accepted"], here["verdict"]) == (True, "adopt")
    assert here == there
    assert "ACCEPTED" in prfpipe("audit", str(bundle)).out


@pytest.mark.parametrize("argv", [["audit"], ["fetch", "--to", "copy"]])
def test_a_store_that_hands_over_another_run_is_refused(home: Path, store: str, argv: list[str]) -> None:
    other = bundles.RUN_ID[:-8] + "00000000"
    shutil.copytree(Path(store, "evidence/v1/lev-01", bundles.RUN_ID), Path("forged/evidence/v1/lev-01", other))
    done = prfpipe(*argv, other, "--store", "forged")
    assert (done.code, Path("copy").exists()) == (1, False)
    assert f"the statement of run {bundles.RUN_ID}, not of {other}" in done.out + done.err


def test_an_audit_refuses_a_changed_file_by_name_and_ends_with_1(home: Path, store: str) -> None:
    prfpipe("fetch", "latest", "--to", "copy", "--store", store)
    (home / "copy" / "verdict.json").write_bytes(b"{}")
    done = prfpipe("audit", "copy")
    assert done.code == 1
    assert "REFUSED" in done.out
    assert "verdict.json" in done.out
    assert prfpipe("audit", "copy", "--json").document["accepted"] is False


def test_the_probe_says_what_a_store_guarantees_and_leaves_nothing_in_it(store: str) -> None:
    before = sorted(Path(store).rglob("*"))
    document = prfpipe("store", "probe", "--store", store, "--json").document
    assert document["usable"] is True
    assert {finding["name"] for finding in document["findings"]} >= {"read-after-write", "list-after-write"}
    assert "read-after-write" in prfpipe("store", "probe", "--store", store).out
    assert sorted(Path(store).rglob("*")) == before


# ---- starting ------------------------------------------------------------------------------------------


def imported(program: str, *argv: str) -> set[str]:
    """The modules that a program imports from its start to its end."""
    words = [sys.executable, "-X", "importtime", "-c", program, *argv]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_starts_as_fast_as_argparse_can(command: list[str]) -> None:
    """What it imports is counted, since no clock tells on a busy machine what a start costs."""
    least = imported("import argparse; argparse.ArgumentParser().print_help()")
    more = imported(CONSOLE_SCRIPT, *command, "--help") - least
    parsers = {f"prfpipe.cli.{name}" for name in ("parser", "evidence_parser", "arguments")}
    assert {name for name in more if name.startswith("prfpipe")} <= {"prfpipe", "prfpipe.cli"} | parsers
    assert {name.partition(".")[0] for name in more} <= {"prfpipe", "importlib", "collections"}


def test_an_audit_imports_neither_what_measures_nor_what_talks_to_a_network(bundle: Path) -> None:
    done = child("audit", str(bundle), flags=["-X", "importtime"])
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "pydantic" in imported
    # securesystemslib asks for boto3 and is told that there is none (attest/library.py): the name alone is listed.
    assert not imported & {"prefect", "boto3.session", "botocore.session", "matplotlib", "memray", "coverage"}
    assert not imported & {"prfpipe.measure", "prfpipe.loop", "prfpipe.store.s3"}
