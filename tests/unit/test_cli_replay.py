"""`prfpipe replay`: only what passed its audit, only from the same source, and an exit code that says the answer."""

from pathlib import Path
from typing import Any

import pytest

from prfpipe import layout
from prfpipe.cli import replay
from prfpipe.lever import Lever
from prfpipe.loop import Options, Outcome
from prfpipe.models import Estimate, Verdict
from tests.golden.bundles import corpus
from tests.support.bundles import RUN_ID
from tests.support.commands import prfpipe

LATER = "20261124T081500Z-lev-01-00000001"
LEVER = Path(__file__).parents[2] / "levers" / "lev_01_compat_cache"
GOOD = corpus.golden("good-adopted")
PLAN, VERDICT = layout.read_plan(GOOD.files), layout.read_verdict(GOOD.files)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return corpus.write(GOOD.files, tmp_path / "bundle")


def words(bundle: Path, *more: str) -> tuple[str, ...]:
    return ("replay", str(bundle), "--lever-folder", str(LEVER), "--trust", str(corpus.TRUSTED), *more)


def measured(factor: float) -> Verdict:
    """The second run: every speed-up `factor` times that of the first."""

    def scaled(value: Estimate) -> Estimate:
        low, high = (None if bound is None else bound * factor for bound in (value.low, value.high))
        return Estimate(estimate=value.estimate * factor, low=low, high=high)

    scenarios = tuple(item.model_copy(update={"speedup": scaled(item.speedup)}) for item in VERDICT.scenarios)
    return VERDICT.model_copy(update={"run_id": LATER, "scenarios": scenarios})


class SecondRun:
    """In place of measuring: a run with speed-ups `factor` times those of the first, and what it was asked for."""

    def __init__(self) -> None:
        self.factor, self.asked = 1.0, list[Options]()

    def __call__(self, _: Lever, options: Options, *__: Any) -> Outcome:
        self.asked.append(options)
        host = PLAN.host.model_copy(update={"name": "bench-2"})
        plan = PLAN.model_copy(update={"run_id": LATER, "host": host})
        return Outcome(plan, measured(self.factor), "evidence/later", Path("report.html"), 1.0)


@pytest.fixture
def second_run(monkeypatch: pytest.MonkeyPatch) -> SecondRun:
    made = SecondRun()
    monkeypatch.setattr(replay, "evaluate", made)
    monkeypatch.setattr(replay, "source_files", lambda _: PLAN.source_files)
    return made


@pytest.mark.parametrize(
    ("factor", "answer", "code"), [(1.01, "agrees", 0), (0.5, "disagrees", 1), (0.135, "disagrees", 1)]
)
def test_the_exit_code_says_whether_the_effect_agrees(
    bundle: Path, second_run: SecondRun, factor: float, answer: str, code: int
) -> None:
    second_run.factor = factor
    ended = prfpipe(*words(bundle, "--json"))
    found = ended.document
    assert (ended.code, found["answer"], found["replayed"], found["replay"]) == (code, answer, RUN_ID, LATER)
    assert (found["hosts"], found["same_host"]) == (["bench-1", "bench-2"], False)
    assert len(second_run.asked) == 1


@pytest.mark.usefixtures("second_run")
def test_in_words_it_ends_with_the_answer(bundle: Path) -> None:
    lines = prfpipe(*words(bundle)).out.splitlines()
    assert lines[-1].startswith(f"AGREES: {RUN_ID}: faster both times")
    assert "measured on another host" in lines


def test_the_second_run_names_the_first_in_its_command_and_takes_a_seed_of_its_own(
    bundle: Path, second_run: SecondRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/prfpipe", *words(bundle, "--effort", "standard")])
    prfpipe(*words(bundle, "--effort", "standard"))
    [asked] = second_run.asked
    assert asked.command[:3] == ("prfpipe", "replay", RUN_ID)
    assert (asked.effort, asked.seed) == ("standard", None)


def test_another_source_is_refused_and_the_files_are_named(bundle: Path) -> None:
    ended = prfpipe(*words(bundle))
    assert ended.code == 2
    assert "baseline.py" in ended.err
    assert "is not the lever folder of" in ended.err


def test_a_bundle_that_does_not_pass_its_audit_is_not_measured_again(tmp_path: Path, second_run: SecondRun) -> None:
    folder = corpus.write(corpus.golden("verdict-changed").files, tmp_path / "bundle")
    ended = prfpipe(*words(folder))
    assert (ended.code, second_run.asked) == (1, [])


def test_a_tolerance_is_a_percentage(bundle: Path) -> None:
    assert prfpipe(*words(bundle, "--within", "-1")).code == 2
    assert prfpipe(*words(bundle, "--within", "nan")).code == 2
