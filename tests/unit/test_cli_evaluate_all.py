"""`prfpipe evaluate all`: every lever gets its own run; the last word is a table and the worst exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prfpipe.artifacts.evidence import Evidence
from prfpipe.cli import evaluate
from prfpipe.errors import SubjectCrashError
from prfpipe.lever import Lever
from prfpipe.loop import Options, Outcome
from tests.support import records
from tests.support.commands import prfpipe
from tests.support.levers import write_lever
from tests.support.records import SPEEDUPS

WORDS = {"LEV-A": "adopt", "LEV-B": "reject", "LEV-C": "undecided", "LEV-Z": "adopt"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def levers(home: Path) -> Callable[..., None]:
    def write(*names: str, **parts: Any) -> None:
        for name in names:
            write_lever(home / "levers" / name.lower(), id=name, **parts)

    return write


@pytest.fixture(scope="module")
def evidence() -> dict[str, Evidence]:
    return {word: records.evidence(word) for word in ("adopt", "reject", "undecided")}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, evidence: dict[str, Evidence]) -> list[Options]:
    """Evaluations end at once, in the verdict that WORDS says or in a crash; the options of each."""
    seen: list[Options] = []

    def ended(lever: Lever, options: Options, *_: object) -> Outcome:
        seen.append(options)
        if lever.spec.id not in WORDS:
            raise SubjectCrashError(f"{lever.spec.id} baseline ended", hint="Look at what it said.")
        found = evidence[WORDS[lever.spec.id]]
        verdict = found.verdict.model_copy(update={"lever": lever.spec.id})
        return Outcome(found.plan, verdict, f"file:///evidence/{lever.spec.id}", Path("report.html"), 1.0)

    monkeypatch.setattr(evaluate, "evaluate", ended)
    return seen


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["LEV-A"], 0),
        (["LEV-A", "LEV-C"], 3),
        (["LEV-A", "LEV-B", "LEV-C"], 1),
        (["LEV-A", "LEV-X"], 4),
        (["LEV-B", "LEV-X"], 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_code_is_the_worst_of_all(
    names: list[str], code: int, levers: Callable[..., None], asked: list[Options]
) -> None:
    levers(*names)
    assert prfpipe("evaluate", "all", "--inline")[0] == code
    assert len(asked) == len(names)


def test_one_lever_without_a_verdict_does_not_keep_the_others_from_theirs(
    levers: Callable[..., None], asked: list[Options]
) -> None:
    levers("LEV-A", "LEV-X", "LEV-Z")
    code, out, err = prfpipe("evaluate", "all", "--inline")
    assert code == 4
    assert "LEV-X baseline ended" in err
    table = out[out.rindex("lever ") :]
    assert list(dict.fromkeys(line.split()[0] for line in table.splitlines() if line.startswith("LEV-"))) == [
        "LEV-A", "LEV-Z", "LEV-X:",
    ]  # fmt: skip


def test_the_last_table_has_every_scenario_of_every_lever(levers: Callable[..., None], asked: list[Options]) -> None:
    levers("LEV-A", "LEV-B")
    out = prfpipe("evaluate", "all", "--inline")[1]
    rows = [line.split()[:3] for line in out[out.rindex("lever ") :].splitlines() if line.startswith("LEV-")]
    assert rows == [
        [lever, word, scenario] for lever, word in (("LEV-A", "adopt"), ("LEV-B", "reject")) for scenario in SPEEDUPS
    ]


def test_json_is_one_document_with_failures_in_their_places(levers: Callable[..., None], asked: list[Options]) -> None:
    levers("LEV-A", "LEV-X")
    code, out, _ = prfpipe("evaluate", "all", "--inline", "--json")
    one, other = json.loads(out)["levers"]
    assert (code, one["lever"], one["verdict"]) == (4, "LEV-A", "adopt")
    assert other == {
        "lever": "LEV-X",
        "error": {"message": "LEV-X baseline ended", "hint": "Look at what it said."},
    }


def test_each_plan_names_the_command_that_makes_this_one_bundle_again(
    levers: Callable[..., None], asked: list[Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    levers("LEV-A", "LEV-B")
    argv = ["evaluate", "all", "--inline", "--effort", "standard"]
    monkeypatch.setattr("sys.argv", ["/usr/bin/prfpipe", *argv])
    prfpipe(*argv)
    assert [options.command for options in asked] == [
        ("prfpipe", "evaluate", name, "--inline", "--effort", "standard") for name in ("LEV-A", "LEV-B")
    ]


def test_what_is_missing_is_said_before_anything_is_measured(levers: Callable[..., None], asked: list[Options]) -> None:
    levers("LEV-A")
    levers("LEV-B", requires=["no-such-distribution==1.0"])
    code, _, err = prfpipe("evaluate", "all", "--inline")
    assert (code, asked) == (2, [])
    assert "LEV-B needs no-such-distribution==1.0" in err
    assert "pip install" in err


@pytest.mark.parametrize(
    ("argv", "said"),
    [((), "no levers under levers"), (("--resume", "20261123T081500Z-lev-01-3f9c2a7b"), "--resume goes on with one")],
    ids=["no levers", "resume"],
)
def test_all_is_refused_where_it_means_nothing(argv: tuple[str, ...], said: str) -> None:
    code, out, err = prfpipe("evaluate", "all", "--inline", *argv)
    assert (code, out) == (2, "")
    assert said in err
