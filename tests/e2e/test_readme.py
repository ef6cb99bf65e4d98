"""Every `prfpipe` command that README.md shows is run, in the order of the page, by a newcomer's folder."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.evaluations import SCENARIOS, Done, prfpipe
from tests.support.levers import write_lever

README = Path(__file__).parents[2] / "README.md"
# What stands in the page but is run elsewhere: `make test` runs this test, and CI runs `make evaluate`'s parts.
ELSEWHERE = {"make", "."}
UP = ["prfpipe", "up"]  # stays until it is interrupted: tests/flows/test_up.py, and its --status there
MEASURED = ("reject", "undecided", "adopt")


def shell_commands(page: str) -> list[list[str]]:
    """The lines of all `sh` blocks, as words, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words for words in lines if words]


COMMANDS = [
    words
    for words in shell_commands(README.read_text(encoding="utf-8"))
    if words[0] not in ELSEWHERE and words[:2] != UP
]


def test_the_page_shows_commands() -> None:
    assert {words[0] for words in COMMANDS} == {"prfpipe"}
    assert len(COMMANDS) > 8


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> list[Done]:
    """All of them, one after the other; a lever that takes seconds and lies in a repository stands for LEV-01."""
    home = tmp_path_factory.mktemp("newcomer")
    write_lever(home / "levers" / "lev_01", id="LEV-01", profiles=["py-spy"], scenarios=SCENARIOS)
    _commit(home)
    return [_run(home, words[1:]) for words in COMMANDS]


def _commit(home: Path) -> None:
    """Evidence without a commit is not all that the doctrine asks for."""
    who = ("-c", "user.name=Newcomer", "-c", "user.email=newcomer@example.com")
    for words in (("init", "--quiet"), ("add", "levers"), (*who, "commit", "--quiet", "--message", "A lever")):
        subprocess.run(["git", *words], cwd=home, check=True, capture_output=True)


def _run(home: Path, argv: list[str]) -> Done:
    # With Prefect the same command is run in tests/flows, on a server of its own.
    inline = ["--inline", "--accept-noise"] if argv[0] == "evaluate" else []
    return prfpipe(home, *argv, *inline, PRFPIPE_LEVERS=str(home / "levers"))


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[" ".join(words) for words in COMMANDS])
def test_command_does_what_the_page_says(number: int, ended: list[Done]) -> None:
    done, argv = ended[number], COMMANDS[number][1:]
    # A verdict on so short a measurement may be any; everything else has to succeed.
    assert done.code in ((0, 1, 3) if argv[0] == "evaluate" else (0,)), done.err
    assert done.out
