"""The archive over time: what is a change of level, what is left of a gain, and how it is shown."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prfpipe.attest import read_statement
from prfpipe.errors import InputError
from prfpipe.history import histories, series
from prfpipe.history.changes import change_points, new_losses
from prfpipe.history.page import page, text
from prfpipe.history.retention import adopted, retention
from prfpipe.layout import STATEMENT
from prfpipe.models import Effort, LeverHistory
from prfpipe.plan import make_rule
from prfpipe.store import open_store
from prfpipe.store.evidence import archive
from tests.support import bundles
from tests.support.commands import prfpipe
from tests.support.histories import nights, point, run_id, wobble

# ---- changes of level ------------------------------------------------------------------------------------


def test_a_lost_gain_is_one_change_at_the_night_of_the_loss() -> None:
    [change] = change_points(nights(wobble([7.0] * 40 + [5.6] * 12)))
    assert change.run_id == run_id(40)
    assert change.change_percent == pytest.approx(-20, abs=2)
    assert (change.before, change.after) == (pytest.approx(7.0, rel=0.02), pytest.approx(5.6, rel=0.02))


def test_noise_around_one_level_is_no_change() -> None:
    assert change_points(nights(wobble([7.0] * 200))) == ()


def test_one_bad_night_is_no_change_of_level() -> None:
    assert change_points(nights(wobble([7.0] * 30 + [4.0] + [7.0] * 30))) == ()


@pytest.mark.parametrize("runs", range(1, 4))
def test_a_series_too_short_to_judge_has_no_change(runs: int) -> None:
    assert change_points(nights([7.0] * runs)) == ()


def test_a_loss_is_told_once() -> None:
    ratios = wobble([7.0] * 40 + [5.6] * 20)
    told = [count for count in range(41, 60) if new_losses(nights(ratios[:count]))]
    assert len(told) == 1
    assert told[0] <= 44


def _found_in_night(ratios: list[float]) -> int:
    """How many runs there are when the loss is found."""
    return next(count for count in range(2, len(ratios)) if new_losses(nights(ratios[:count])))


def test_a_loss_that_a_quick_night_has_found_is_news_once_more_when_rigorous_effort_confirms_it() -> None:
    ratios = wobble([7.0] * 40 + [5.6] * 20)
    found = _found_in_night(ratios)
    confirmed = [*nights(ratios[:found]), point(found, 5.6, effort=Effort.RIGOROUS)]
    assert new_losses(confirmed)
    assert not new_losses([*confirmed, point(found + 1, 5.6)])
    assert not new_losses([*confirmed, point(found + 1, 5.6), point(found + 2, 5.6, effort=Effort.RIGOROUS)])


def test_a_loss_that_an_evaluation_by_day_brings_to_light_is_news_of_the_next_night() -> None:
    ratios = wobble([7.0] * 40 + [5.6] * 20)
    found = _found_in_night(ratios)
    by_day = point(found - 1, ratios[found - 1], reprofiles=None, verdict="undecided")
    assert new_losses([*nights(ratios[: found - 1]), by_day, point(found, ratios[found])])


def test_a_gain_is_a_change_but_no_loss() -> None:
    points = nights(wobble([5.6] * 40 + [7.0] * 6))
    assert [change.change_percent > 0 for change in change_points(points)] == [True]
    assert all(not new_losses(points[:count]) for count in range(40, 47))


def test_without_otava_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "otava.analysis", None)
    with pytest.raises(InputError, match="Apache Otava") as caught:
        change_points(nights([7.0] * 5))
    assert "prfpipe[nightly]" in caught.value.hint


# ---- what is left of a gain ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "state"),
    [(7.0, "kept"), (6.6, "kept"), (5.8, "undecided"), (4.0, "rotted"), (1.0, "rotted"), (9.0, "kept")],
)
def test_an_answer_is_about_the_whole_interval(last: float, state: str) -> None:
    found = retention(nights([7.0, last]))
    assert found is not None
    assert (found.state, found.adopted) == (state, run_id(0))
    assert found.share.low is not None
    assert found.share.high is not None
    assert found.share.low < last / 7 < found.share.high


def test_a_small_gain_that_is_gone_has_rotted() -> None:
    """A fifth of 1.3x is more than all that it had gained."""
    found = retention(nights([1.3, 1.0]))
    assert found is not None
    assert found.state == "rotted"
    assert found.share.high is not None
    assert found.share.high > 0.8


def test_without_an_interval_nothing_is_decided() -> None:
    bare = point(1, 7.0).speedup.model_copy(update={"low": None, "high": None})
    found = retention([point(0, 7.0), point(1, 7.0, speedup=bare)])
    assert found is not None
    assert (found.state, found.share.low, found.share.high) == ("undecided", None, None)


def test_a_nightly_run_never_becomes_the_new_measure() -> None:
    slow_rot = nights([7.0 * 0.98**night for night in range(30)])
    reference, found = adopted(slow_rot), retention(slow_rot)
    assert reference is slow_rot[0]
    assert found is not None
    assert found.state == "rotted"


def test_a_newer_adoption_is_the_new_measure_and_a_rejection_ends_it() -> None:
    again = [*nights([7.0, 7.0]), point(2, 3.5, reprofiles=None)]
    assert adopted(again) is again[2]
    assert retention(again) is None
    rejected = [*again, point(3, 1.0, reprofiles=None, verdict="reject"), point(4, 3.5)]
    assert retention(rejected) is None


def test_another_primary_scenario_is_not_compared() -> None:
    assert retention([point(0, 7.0), point(1, 7.0, scenario="cold-100")]) is None


# ---- from an archive -------------------------------------------------------------------------------------

FIRST, SECOND = "20261120T081500Z-lev-01-00000001", "20261122T081500Z-lev-01-00000002"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    runs, place = tmp_path_factory.mktemp("runs"), str(tmp_path_factory.mktemp("store"))
    for identity in (FIRST, SECOND):
        _archive(place, runs, identity)
    return place


def _archive(place: str, runs: Path, identity: str, *words: str, **changes: object) -> None:
    """A quick run; `words` end its command, `changes` are the plan's."""
    plan = bundles.plan(run_id=identity, effort=Effort.QUICK, **changes)
    provenance = plan.provenance.model_copy(update={"command": (*plan.provenance.command, *words)})
    plan = plan.model_copy(update={"rule": make_rule(plan.lever, Effort.QUICK), "provenance": provenance})
    folder = bundles.build(runs, bundles.Parts.of(plan))
    archive(open_store(place), folder, "LEV-01", identity, read_statement((folder / STATEMENT).read_bytes()).files)


def test_each_bundle_of_the_archive_is_a_point(store: str) -> None:
    code, out, _ = prfpipe("history", "--store", store, "--json")
    [history] = json.loads(out)
    assert code == 0
    assert [found["run_id"] for found in history["points"]] == [FIRST, SECOND]
    assert history["points"][0]["speedup"]["estimate"] == pytest.approx(7.4, rel=0.05)


def test_a_bundle_that_was_changed_is_left_out_and_named(store: str, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    __import__("shutil").copytree(store, copy)
    verdict = next(copy.rglob(f"{FIRST}/verdict.json"))
    verdict.chmod(0o644)
    verdict.write_bytes(verdict.read_bytes().replace(b'"adopt"', b'"reject"'))
    code, out, err = prfpipe("history", "--store", str(copy))
    assert code == 0, err
    assert f"left out: {FIRST}" in out


def test_a_lever_of_which_no_bundle_can_be_read_is_named(store: str, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    __import__("shutil").copytree(store, copy)
    for verdict in copy.rglob("verdict.json"):
        verdict.unlink()
    code, _, err = prfpipe("history", "--store", str(copy))
    assert code == 4
    assert f"left out: {FIRST}" in err
    assert f"left out: {SECOND}" in err


def test_a_bundle_under_another_id_is_no_point(store: str, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    __import__("shutil").copytree(store, copy)
    (first,) = {path.parent for path in copy.rglob("verdict.json") if FIRST in str(path)}
    ahead = FIRST.replace("2026", "2126", 1)
    first.rename(first.with_name(ahead))
    found, problems = histories(open_store(str(copy)))
    assert [point.run_id for point in found[0].points] == [SECOND]
    assert problems[0].startswith(f"{ahead}: it is the bundle of {FIRST}")


def test_an_adoption_on_a_scenario_that_is_no_longer_the_primary_one_has_ended_and_says_so(
    monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    renamed = {FIRST: point(0, 7.0), SECOND: point(1, 7.0, scenario="renamed", run_id=SECOND, reprofiles=FIRST)}
    monkeypatch.setattr(series, "read_point", lambda _, ref: ("LEV-01", renamed[ref.run_id]))
    [history] = histories(open_store(store)).found
    assert [item.run_id for item in history.points] == [SECOND]
    assert "adopted on the scenario incremental-1000, newer runs are about renamed" in history.ended
    assert "evaluate the lever again" in text([history])
    assert "evaluate the lever again" in page([history]).decode()


def _other_params() -> dict[str, object]:
    spec = bundles.plan().lever
    resized = [item.model_copy(update={"params": {"modules": 10}}) if item.primary else item for item in spec.scenarios]
    return {"lever": spec.model_copy(update={"scenarios": tuple(resized)})}


def _other_workload() -> dict[str, object]:
    plan = bundles.plan()
    return {"source_files": {**plan.source_files, plan.lever.workload: "9" * 64}}


@pytest.mark.parametrize("other", [_other_params, _other_workload])
def test_runs_on_other_work_under_one_name_are_not_compared(
    other: Callable[[], dict[str, object]], tmp_path: Path
) -> None:
    place, tonight = str(tmp_path / "store"), "20261124T023000Z-lev-01-00000004"
    _archive(place, tmp_path, FIRST)
    _archive(place, tmp_path, tonight, "--reprofiles", FIRST, **other())
    [history] = histories(open_store(place)).found
    assert [item.run_id for item in history.points] == [tonight]
    assert history.retention is None
    assert "newer runs have other parameters or another workload" in history.ended


def test_what_is_left_of_a_gain_is_also_said_of_late_runs_alone(tmp_path: Path) -> None:
    place, nights = str(tmp_path / "store"), [f"202611{day}T023000Z-lev-01-0000000{day % 10}" for day in (23, 24)]
    _archive(place, tmp_path, FIRST)
    for night in nights:
        _archive(place, tmp_path, night, "--reprofiles", FIRST)
    [late] = histories(open_store(place), since=datetime(2026, 11, 24, tzinfo=UTC)).found
    assert [point.run_id for point in late.points] == [FIRST, nights[1]]
    assert late.retention is not None
    assert late.retention.adopted == FIRST
    assert histories(open_store(place), since=datetime(2027, 1, 1, tzinfo=UTC)).found == ()


def test_the_page_is_written_and_holds_every_run(store: str, tmp_path: Path) -> None:
    target = tmp_path / "history.html"
    assert prfpipe("history", "--store", store, "--html", str(target))[0] == 0
    written = target.read_text(encoding="utf-8")
    assert FIRST in written
    assert SECOND in written
    assert "data:image/svg+xml;base64," in written


def test_an_empty_archive_has_no_history(tmp_path: Path) -> None:
    code, _, err = prfpipe("history", "--store", str(tmp_path))
    assert code == 4
    assert "no history yet" in err


# ---- how it is shown -------------------------------------------------------------------------------------


def test_a_rotted_gain_is_said_in_text_and_on_the_page() -> None:
    points = nights(wobble([7.0] * 30 + [3.0] * 10))
    history = LeverHistory(
        lever="LEV-01", host="bench-1", points=tuple(points), changes=change_points(points), retention=retention(points)
    )
    assert "rotted" in text([history])
    shown = page([history]).decode()
    assert "rotted" in shown
    assert f"<code>{run_id(30)}</code>" in shown


def test_names_from_an_archive_are_harmless_on_a_page() -> None:
    points = [point(0, 7.0, host="<script>alert(1)</script>\x1b[2J")]
    history = LeverHistory(lever="LEV-01", host=points[0].host, points=tuple(points), changes=(), retention=None)
    assert "<script>" not in page([history]).decode()
    assert "\x1b" not in text([history])
