"""Stage re-profile measures each scenario as long as the plan says, and says how long it may still take."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prfpipe.bundle import RunFolder
from prfpipe.doctrine import Stage
from prfpipe.lever import Lever
from prfpipe.loop import measuring
from prfpipe.loop.context import RunContext
from prfpipe.loop.summary import stage_summary
from prfpipe.measure import Bench
from prfpipe.models import ARMS, Invocation, Plan, SampleSet, Scenario, Schedule
from prfpipe.settings import Settings
from tests.support import bundles, records

PRIMARY, OTHER = bundles.SPEEDUPS
OTHER_RUN = "20261123T081500Z-lev-01-00000000"


class Told:
    """Keeps what is said (text, share done, seconds left), and the line about the finished stage."""

    def __init__(self) -> None:
        self.said: list[tuple[str, float, float]] = []
        self.summary = ""

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        assert done is not None
        assert remaining is not None
        self.said.append((text, done, remaining))

    def finish(self) -> None:
        pass


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reprofile(tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> Callable[[Plan], SampleSet]:
    """The stage with invocations that take a second and a half and nothing of the machine's time."""

    def perform(the_plan: Plan) -> SampleSet:
        def measure(
            bench: Bench,
            scenario: Scenario,
            schedule: Schedule,
            seed: int,
            enough: Callable[[list[Invocation]], bool],
        ) -> Iterator[Invocation]:
            done: list[Invocation] = []
            while not enough(done):
                done.append(bundles.invocation(the_plan, Stage.REPROFILE, scenario.name, len(done), ARMS))
                yield done[-1]

        monkeypatch.setattr(measuring, "measure", measure)
        with RunFolder.create(tmp_path / "runs", the_plan.run_id) as folder:
            bundles.stages(bundles.Parts.of(the_plan))[Stage.BASELINE](folder)
            lever = Lever(the_plan.lever, tmp_path)
            context = RunContext(lever, the_plan, folder, tmp_path / "scratch", Settings(), told)
            samples = measuring.measure_both(context)
            told.summary = stage_summary(context, Stage.REPROFILE)
            return samples

    return perform


def counts(samples: SampleSet) -> dict[str, int]:
    names = [item.scenario for item in samples.invocations]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def test_a_scenario_that_need_not_hold_gets_the_shared_time(reprofile: Callable[[Plan], SampleSet]) -> None:
    # 10 s for the others, and an invocation ends every 1.5 s.
    assert counts(reprofile(bundles.plan()))[OTHER] == 7


def test_a_stratum_is_measured_until_its_own_question_is_decided(reprofile: Callable[[Plan], SampleSet]) -> None:
    lever = records.lever(bundles.SPEEDUPS, guards=(), must_hold=(OTHER,))
    found = counts(reprofile(bundles.plan(lever=lever)))
    # The second look, at a fifth of 60 s, is the first with an interval; the gain's own question ends there too.
    assert found == {PRIMARY: 8, OTHER: 8}


def test_the_line_about_the_stage_names_the_strata(reprofile: Callable[[Plan], SampleSet], told: Told) -> None:
    reprofile(bundles.plan())
    assert "strata" not in told.summary
    reprofile(bundles.plan(run_id=OTHER_RUN, lever=records.lever(bundles.SPEEDUPS, guards=(), must_hold="all")))
    assert f"; strata: {OTHER} 6." in told.summary


def test_a_stratum_takes_nothing_from_the_time_of_the_others(reprofile: Callable[[Plan], SampleSet]) -> None:
    speedups = {**bundles.SPEEDUPS, "full-10": 1.0}
    lever = records.lever(speedups, guards=(), must_hold=(OTHER,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "SPEEDUPS", speedups)
        assert counts(reprofile(bundles.plan(lever=lever)))["full-10"] == 7


def test_the_time_left_is_that_of_the_whole_stage(reprofile: Callable[[Plan], SampleSet], told: Told) -> None:
    reprofile(bundles.plan(lever=records.lever(bundles.SPEEDUPS, guards=(), must_hold=(OTHER,))))
    first, last = told.said[0], told.said[-1]
    assert first == (f"re-profile: {PRIMARY}, 1 invocations", pytest.approx(1.5 / 120), 118.5)
    assert told.said[7][2] == 120 - 8 * 1.5
    # The primary scenario was decided early, which saves the rest of its time.
    assert told.said[8][1:] == (pytest.approx(61.5 / 120), 58.5)
    assert last[2] == 60 - 8 * 1.5
    shares = [share for _, share, _ in told.said]
    assert shares == sorted(shares)
