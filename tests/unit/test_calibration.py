"""The calibration command: its order, its results file, its statistics, what it reads from other tools, its report."""

import json
import math
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from calibration import attribution, results, with_hyperfine, with_pyperf
from calibration.case import ToolError
from calibration.command_line import SEED, main
from calibration.experiments import EXPERIMENTS, TOOLS, Tool, chosen, planned
from calibration.figures import cells, targets
from calibration.results import Comparison, Results, Session, Tuning
from calibration.summary import binomial_interval, two_sided_p, welch
from calibration.with_prfpipe import excludes_one
from prfpipe.models import Estimate

TINY = ("--only", "prfpipe", "identical", "plus-2", "--scale", "0.01", "--budget", "0.02")

# Recorded from hyperfine 1.15.0, `--runs 3 --export-json`, and from pyperf 2.10.0, `--processes 2 --values 2`.
HYPERFINE = """{"results": [
{"command": "python command.py 0 50", "mean": 0.031237926333333336, "stddev": 0.00018229666124296731,
 "times": [0.031169171000000002, 0.031444602, 0.031100006000000003], "exit_codes": [0, 0, 0]},
{"command": "python command.py 2 50", "mean": 0.031143859333333333, "stddev": 0.00008550745395188255,
 "times": [0.031242384, 0.031089012000000003, 0.031100182], "exit_codes": [0, 0, 0]}]}"""
PYPERF = """{"benchmarks": [{"runs": [
{"metadata": {"duration": 0.0239}, "values": [0.0003098939999972572, 0.0003118405000122948],
 "warmups": [[20, 0.00032586539998646913]]},
{"metadata": {"duration": 0.0225}, "values": [0.0003026475000069695, 0.0003026311999974496],
 "warmups": [[20, 0.00030979149998984213]]}], "metadata": {"loops": 20, "name": "operation"}}], "version": "1.0"}"""
SLOWER = "Mean +- std dev: [p0] 307 us +- 5 us -> [p100] 583 us +- 24 us: 1.90x slower\nSignificant (t=-22.28)\n"
SAME = "Mean +- std dev: [p0] 307 us +- 5 us -> [p2] 308 us +- 1 us: 1.00x slower\nNot significant!\n"


# ---- order ------------------------------------------------------------------------------------------------


def test_the_plan_is_what_was_asked_for() -> None:
    counts = Counter((task.experiment.name, task.tool) for task in planned(seed=1, scale=1.0))
    assert counts["identical", "prfpipe"] == 100
    assert {count for key, count in counts.items() if key != ("identical", "prfpipe")} == {30}
    assert sum(counts.values()) == 340


def test_the_same_seed_gives_the_same_order_and_another_one_another() -> None:
    assert planned(seed=1, scale=0.1) == planned(seed=1, scale=0.1) != planned(seed=2, scale=0.1)


def test_every_stretch_of_a_session_is_balanced() -> None:
    tasks = planned(seed=3, scale=1.0)
    for share in (0.25, 0.5, 0.75):
        counts = Counter(task.key[:2] for task in tasks[: round(share * len(tasks))])
        for experiment in EXPERIMENTS:
            for tool in TOOLS:
                assert abs(counts[experiment.name, tool] - share * experiment.counts[tool]) <= 3


def test_tools_no_longer_run_in_one_fixed_order() -> None:
    tools = [task.tool for task in planned(seed=3, scale=1.0)]
    assert len({tuple(tools[at : at + 3]) for at in range(0, len(tools) - 3, 3)}) > 10


def test_only_names_tools_experiments_or_both() -> None:
    tasks = planned(seed=1, scale=0.1)
    assert {task.tool for task in chosen(tasks, ["pyperf"])} == {"pyperf"}
    assert len({task.experiment.name for task in chosen(tasks, ["pyperf"])}) == 3
    assert {task.key[:2] for task in chosen(tasks, ["pyperf", "plus-1"])} == {("plus-1", "pyperf")}
    assert chosen(tasks, []) == tasks


# ---- a real, tiny session -----------------------------------------------------------------------------------


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure of these sessions is looked at: they need not wait for a measurement, nor hold one up."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results and the report of a comparison on identical code and one at +2 %."""
    folder = tmp_path_factory.mktemp("session")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        assert main([*TINY, "--results", str(folder / "session.jsonl"), "--docs", str(folder / "docs")]) == 0
    return folder


def test_a_session_makes_each_comparison_once(tiny: Path) -> None:
    found = results.read(tiny / "session.jsonl")
    keys = {(row.experiment, row.index) for row in found.comparisons}
    assert keys == {("identical", 0), ("plus-2", 0)}
    assert {row.tool for row in found.comparisons} == {"prfpipe"}


def test_a_comparison_says_what_it_saw(tiny: Path) -> None:
    for row in results.read(tiny / "session.jsonl").comparisons:
        assert row.true_percent == (2 if row.experiment == "plus-2" else 0)
        assert 8 <= int(row.details["stopped_after"] or 0) <= int(row.details["invocations"] or 0)
        assert float(row.details["low_percent"] or 0) <= float(row.details["high_percent"] or 0)
        assert row.details["control_percent"] is not None
        assert row.wall_s > 0
        assert math.isfinite(row.change_percent)


@pytest.mark.usefixtures("own_lock")
def test_a_second_call_measures_nothing(tiny: Path) -> None:
    before = (tiny / "session.jsonl").read_bytes()
    assert main([*TINY, "--results", str(tiny / "session.jsonl"), "--docs", str(tiny / "docs")]) == 0
    assert (tiny / "session.jsonl").read_bytes() == before


@pytest.mark.usefixtures("own_lock")
def test_a_killed_session_goes_on_with_what_is_missing(tiny: Path, tmp_path: Path) -> None:
    lines = (tiny / "session.jsonl").read_bytes().splitlines(keepends=True)
    file = tmp_path / "session.jsonl"
    file.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    assert main([*TINY, "--results", str(file), "--docs", str(tmp_path / "docs")]) == 0
    found = file.read_bytes().splitlines(keepends=True)
    assert found[:-1] == lines[:-1]
    same = ("experiment", "tool", "index", "true_percent")
    assert [json.loads(found[-1])[key] for key in same] == [json.loads(lines[-1])[key] for key in same]


def test_the_report_says_that_times_and_counts_are_not_the_planned_ones(tiny: Path) -> None:
    text = (tiny / "docs" / "calibration.md").read_text()
    assert "2 of 340 planned comparisons" in text
    assert "**Not at the planned times**: every comparison had 0.02 of its wall time" in text
    assert "--attribute" in text


def test_the_raw_rows_are_in_the_report(tiny: Path) -> None:
    data = json.loads((tiny / "docs" / "calibration.json").read_bytes())
    rows = [row.model_dump(mode="json") for row in results.read(tiny / "session.jsonl").comparisons]
    assert data["comparisons"] == rows


@pytest.mark.parametrize("change", [("--seed", "5"), ("--budget", "0.5")])
def test_results_of_another_session_are_not_mixed_in(
    tiny: Path, change: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TINY, *change, "--results", str(tiny / "session.jsonl"), "--docs", str(tiny / "x")]) == 2
    assert f"another {change[0][2:]}" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["code", "machine"])
def test_results_of_other_code_or_another_machine_are_not_mixed_in(
    tiny: Path, tmp_path: Path, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, rest = (tiny / "session.jsonl").read_text().split("\n", 1)
    changed = {**json.loads(first), field: "0" * 64 if field == "code" else {"cpus": 99}}
    file = tmp_path / "session.jsonl"
    file.write_text(json.dumps(changed) + "\n" + rest)
    assert main([*TINY, "--results", str(file), "--docs", str(tmp_path)]) == 2
    assert f"another {field}" in capsys.readouterr().err


# ---- results file -------------------------------------------------------------------------------------------


def test_no_file_is_no_results(tmp_path: Path) -> None:
    assert results.read(tmp_path / "none.jsonl") == Results()


@pytest.mark.parametrize("line", ["{}", "[]", "x", '{"kind": "comparison"}', '{"kind": "other"}'])
def test_another_file_is_refused_with_its_line(tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(line + "\n")
    assert main(["--report", "--results", str(file), "--docs", str(tmp_path)]) == 2
    assert "notes.txt:1: not a line of calibration results" in capsys.readouterr().err


def test_a_report_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--report", "--results", str(tmp_path / "none.jsonl"), "--docs", str(tmp_path)]) == 2
    assert "holds no results" in capsys.readouterr().err


def test_the_last_attribution_of_a_condition_counts(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    with results.appending(file) as lines:
        for sd in (0.5, 0.7):
            lines.append(results.line_of(_attribution(sd)))
    assert [item.sd_percent for item in results.read(file).attributions] == [0.7]


# ---- statistics ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("t", "freedom"), [(12.706, 1), (4.303, 2), (2.228, 10), (2.042, 30), (1.962, 1000)])
def test_student_agrees_with_the_tables(t: float, freedom: int) -> None:
    assert two_sided_p(t, freedom) == pytest.approx(0.05, abs=2e-4)
    assert two_sided_p(-t, freedom) == two_sided_p(t, freedom)


@pytest.mark.parametrize("freedom", [1.0, 3.7, 28.0])
def test_student_at_its_ends(freedom: float) -> None:
    assert two_sided_p(0.0, freedom) == pytest.approx(1.0)
    assert two_sided_p(1e9, freedom) == pytest.approx(0.0, abs=1e-6)


def test_welch_agrees_with_the_closed_form() -> None:
    # Means 1 and 2, variances 1: t = sqrt(3/2) with 4 degrees of freedom, whose distribution function is algebraic.
    test = welch([0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    assert (test.t, test.freedom) == pytest.approx((math.sqrt(1.5), 4.0))
    x = test.t / math.sqrt(1 + test.t**2 / 4)
    assert test.p == pytest.approx(1 - 0.75 * x * (1 - x**2 / 12), abs=1e-9)


def test_welch_has_fewer_degrees_of_freedom_where_spreads_differ() -> None:
    same, wider = welch([0.0, 1.0, 2.0], [5.0, 6.0, 7.0]), welch([0.0, 1.0, 2.0], [0.0, 6.0, 12.0])
    assert wider.freedom < same.freedom
    assert wider.p > same.p


def test_welch_of_constants_finds_nothing() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]).p == 1


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 30, 0.0, 0.1157), (30, 30, 0.8843, 1.0), (1, 100, 0.00025, 0.05446), (5, 10, 0.1871, 0.8129)],
)
def test_binomial_intervals_are_exact(hits: int, n: int, low: float, high: float) -> None:
    assert binomial_interval(hits, n) == pytest.approx((low, high), abs=1e-4)


def test_an_interval_without_bounds_calls_nothing() -> None:
    assert not excludes_one(Estimate(estimate=2.0, low=None, high=None))
    assert not excludes_one(Estimate(estimate=1.0, low=0.99, high=1.01))
    assert excludes_one(Estimate(estimate=1.02, low=1.01, high=1.03))
    assert excludes_one(Estimate(estimate=0.98, low=0.97, high=0.99))


# ---- other tools, from what they wrote ----------------------------------------------------------------------


def test_hyperfine_is_read_as_it_summarizes(tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text(HYPERFINE)
    found = with_hyperfine.judge(tmp_path / "h.json", true_percent=1.5)
    assert found.change_percent == pytest.approx(-0.3011, abs=1e-3)
    assert found.details["summary"] == "1.00 ± 0.01 times faster"
    assert (found.call, found.details["summary_excludes_1"], found.details["runs"]) == ("none", 0, 3)


def test_hyperfine_is_called_where_welch_is_sure(tmp_path: Path) -> None:
    data = json.loads(HYPERFINE)
    data["results"][1]["times"] = [time * 1.1 for time in data["results"][1]["times"]]
    (tmp_path / "h.json").write_text(json.dumps(data))
    found = with_hyperfine.judge(tmp_path / "h.json", true_percent=10)
    assert (found.call, found.details["summary_excludes_1"]) == ("slower", 1)


@pytest.mark.parametrize(
    ("said", "factor", "call"), [(SAME, 1.0, "none"), (SLOWER, 1.9, "slower"), (SLOWER, 0.5, "faster")]
)
def test_pyperf_is_believed_as_it_calls(tmp_path: Path, said: str, factor: float, call: str) -> None:
    changed = json.loads(PYPERF)
    for run in changed["benchmarks"][0]["runs"]:
        run["values"] = [value * factor for value in run["values"]]
    (tmp_path / "a.json").write_text(PYPERF)
    (tmp_path / "b.json").write_text(json.dumps(changed))
    found = with_pyperf.judge(tmp_path / "a.json", tmp_path / "b.json", said, true_percent=0)
    assert found.call == call
    assert found.change_percent == pytest.approx(100 * (factor - 1), abs=1e-3)
    assert (found.details["p"] is None) == (call == "none")


def test_warm_ups_of_pyperf_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(PYPERF)
    assert len(with_pyperf.values_of(tmp_path / "a.json")) == 4


def test_an_unknown_answer_of_pyperf_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(PYPERF)
    with pytest.raises(ToolError, match="something unknown"):
        with_pyperf.judge(tmp_path / "a.json", tmp_path / "a.json", "Benchmark hidden", true_percent=0)


@pytest.mark.usefixtures("own_lock")
def test_a_missing_hyperfine_stops_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    file = tmp_path / "session.jsonl"
    assert main(["--only", "hyperfine", "--results", str(file), "--docs", str(tmp_path)]) == 4
    assert "apt-get install -y hyperfine" in capsys.readouterr().err
    assert results.read(file).comparisons == ()


# ---- attribution --------------------------------------------------------------------------------------------


def _halves(*, between: float, within: float) -> list[attribution.Halves]:
    rng = random.Random(1)
    found = []
    for _ in range(400):
        own = rng.gauss(0, between)
        first, second = own + rng.gauss(0, within), own + rng.gauss(0, within)
        found.append(attribution.Halves(first, second, (first + second) / 2, 0.3, 0.1))
    return found


@pytest.mark.parametrize(("between", "within", "share"), [(0.01, 0.001, 0.995), (0.01, 0.01, 2 / 3), (0.0, 0.01, 0)])
def test_what_both_halves_share_is_the_processes_own(between: float, within: float, share: float) -> None:
    found = attribution.summarize(attribution.CONDITIONS[0], _halves(between=between, within=within))
    assert found.between_low <= found.between_share <= found.between_high
    assert found.between_share == pytest.approx(share, abs=0.12)


def test_one_burst_does_not_decide_the_attribution() -> None:
    quiet = _halves(between=0.01, within=0.001)
    burst = [*quiet, attribution.Halves(5.0, -0.01, 2.5, 0.3, 0.1)]
    before, after = (attribution.summarize(attribution.CONDITIONS[0], item) for item in (quiet, burst))
    assert after.sd_percent == pytest.approx(before.sd_percent, rel=0.05)
    assert after.between_share == pytest.approx(before.between_share, abs=0.02)


def test_longer_invocations_do_not_help_where_processes_differ() -> None:
    found = _attribution(1.0)
    short, long = (attribution.predicted_sd(found, invocation_ms=ms, seconds=10) for ms in (100.0, 1000.0))
    assert short < long


# ---- report -------------------------------------------------------------------------------------------------


def _attribution(sd: float) -> results.Attribution:
    return results.Attribution(
        condition="all random (as prfpipe measures)", invocations=100, invocation_ms=100, spawn_ms=150,
        sd_percent=sd, between_share=0.95, between_low=0.9, between_high=0.97,
    )  # fmt: skip


def _row(experiment: str, tool: Tool, index: int, change: float, call: str) -> Comparison:
    details = {
        "prfpipe": {"invocations": 40, "stopped_s": 5.0, "control_percent": 0.1, "control_call": "none"},
        "hyperfine": {"p": 0.03, "summary_excludes_1": 0},
        "pyperf": {"p": None},
    }
    return Comparison.model_validate(
        {
            "experiment": experiment, "tool": tool, "index": index, "started_at": "2026-11-23T12:00:00+00:00",
            "wall_s": 9.9, "change_percent": change, "true_percent": 0.0 if experiment == "identical" else 2.0,
            "call": call, "load_1min": 1.0, "details": details[tool],
        }
    )  # fmt: skip


def _results(*, false_calls: int = 0, noise: float = 0.1) -> Results:
    rows = []
    for i in range(20):
        change = noise * (1 if i % 2 else -1)
        rows.append(_row("identical", "prfpipe", i, change, "slower" if i < false_calls else "none"))
        rows.append(_row("plus-2", "prfpipe", i, 2 + change, "slower"))
        rows += [_row("identical", tool, i, 90 * change, "none") for tool in TOOLS[1:]]
        rows.append(_row("plus-1", "pyperf", i, 30 * change, "faster"))
    session = Session(
        seed=SEED, budget=1.0, started_at="2026-11-23T11:00:00+00:00", code="0" * 64, commit="a" * 40,
        machine={"cpu_model": "A CPU", "cpus": 2, "kernel": "6", "os": "An OS", "python": "Python 3",
                 "virtualized": "yes"},
    )  # fmt: skip
    values = {"operations": 900.0, "run_s": 0.3, "startup_s": 0.015, "loops": 300.0, "process_s": 0.5, "tool_s": 0.1}
    tunings = {tool: Tuning(tool=tool, version="1.2", values=values) for tool in TOOLS}
    return Results(session=session, tunings=tunings, comparisons=tuple(rows), attributions=(_attribution(1.0),))


def _written(found: Results, folder: Path) -> str:
    file = folder / "session.jsonl"
    records = [found.session, *found.tunings.values(), *found.comparisons, *found.attributions]
    file.write_bytes(b"".join(results.line_of(item) + b"\n" for item in records if item is not None))
    assert main(["--report", "--results", str(file), "--docs", str(folder)]) == 0
    return (folder / "calibration.md").read_text()


def test_targets_are_met_only_by_what_was_found() -> None:
    assert all(target.met for target in targets(cells(_results())))
    wrong = {target.asked: target.met for target in targets(cells(_results(false_calls=1, noise=0.5)))}
    assert set(wrong.values()) == {False}
    assert len(wrong) == 3


def test_the_report_shows_each_tool_with_calls_in_the_wrong_direction(tmp_path: Path) -> None:
    text = _written(_results(false_calls=1), tmp_path)
    assert (
        "| identical code, 10 s | prfpipe | +0.00 % | +0.00 % | 0.10 | -0.10 to +0.10 | 1 of 20 (5 %; 0.1 to 24.9 %)"
        in text
    )
    assert "**not met**" in text
    assert "0 of 20 (0 %; 0.0 to 16.8 %), 20 more in the wrong direction" in text
    assert "5.0 % is start-up" in text
    assert "| all random (as prfpipe measures) | 100 | 1.00 % | 95 % (90 to 97 %) |" in text
    assert "Not at the planned times" not in text


def test_tables_of_the_report_are_whole(tmp_path: Path) -> None:
    lines = _written(_results(), tmp_path).splitlines()
    tables = [i for i, line in enumerate(lines) if line.startswith("|---")]
    assert len(tables) == 4
    for at in tables:
        assert lines[at - 2] == ""
        assert lines[at - 1].startswith("|")
        assert lines[at - 1].count("|") == lines[at].count("|") == lines[at + 1].count("|")


def test_the_plot_is_written_the_same_twice(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        _written(_results(), folder)
        found.append((folder / "calibration.svg").read_bytes())
        assert (folder / "calibration.png").stat().st_size > 10_000
    assert found[0] == found[1]
