"""The evaluate flow on a real server: what a person sees there, and how it ends when something goes wrong."""

import base64
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from prfpipe import host, layout
from prfpipe.doctrine import Stage
from prfpipe.errors import StoreError, SubjectCrashError
from prfpipe.events import read_events
from prfpipe.loop import closing, run
from tests.e2e.evaluations import prfpipe
from tests.flows.conftest import LEVER, Evaluated, worker
from tests.flows.prefect_server import Server, wait_until

pytestmark = pytest.mark.server

STAGES = ["plan", "baseline", "profile", "prove", "implement", "verify", "reprofile", "decide", "archive", "publish"]
MAX_PAGE_BYTES = 450_000
PATIENCE_SECONDS = 300


def tasks(server: Server, flow_run_id: str) -> list[dict[str, Any]]:
    found = server.find("task_runs", flow_runs={"id": {"any_": [flow_run_id]}})
    return sorted(found, key=lambda task: str(task["start_time"]))


def messages(server: Server, flow_run_id: str, expected: str) -> list[str]:
    """The run's log, once the expected text has arrived: Prefect sends it from another thread."""
    lines: list[str] = []

    def arrived() -> bool:
        lines[:] = [str(log["message"]) for log in server.find("logs", logs={"flow_run_id": {"any_": [flow_run_id]}})]
        return any(expected in line for line in lines)

    wait_until(arrived, PATIENCE_SECONDS, lines)
    return lines


def artifact_of(server: Server, flow_run_id: str, key: str) -> dict[str, Any]:
    found = server.find("artifacts", artifacts={"flow_run_id": {"any_": [flow_run_id]}})
    [artifact] = [item for item in found if item["key"] == key]
    return artifact


def bundle_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def rewind(run_folder: Path, stage: Stage) -> None:
    """Put a sealed run back to where it was before a stage: what a crash in that stage would leave."""
    (run_folder / layout.STATEMENT).unlink()
    journal = run_folder / layout.RUNLOG
    lines = journal.read_bytes().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if f'"stage":"{stage}"'.encode() in line)
    journal.write_bytes(b"".join(lines[: first + 1]))


def test_a_task_a_stage_in_order_and_all_completed(server: Server, evaluated: Evaluated) -> None:
    found = tasks(server, evaluated.flow_run_id)
    assert [task["name"] for task in found] == [f"{stage} {LEVER}" for stage in STAGES]
    assert {task["state_type"] for task in found} == {"COMPLETED"}


def test_the_run_is_named_after_lever_effort_and_host_and_its_state_says_the_verdict(
    server: Server, evaluated: Evaluated
) -> None:
    flow_run = server.get(f"flow_runs/{evaluated.flow_run_id}")
    assert flow_run["name"] == f"{LEVER} quick on {host.name()}"
    assert flow_run["state"]["message"].startswith(f"{evaluated.result['verdict']}, claim ")


def test_only_archiving_is_retried(server: Server, evaluated: Evaluated) -> None:
    found = {task["name"].split()[0]: task for task in tasks(server, evaluated.flow_run_id)}
    assert evaluated.puts == found["archive"]["run_count"] == 3
    assert {task["run_count"] for name, task in found.items() if name != "archive"} == {1}
    assert {name for name, task in found.items() if task["empirical_policy"]["retries"]} == {"archive"}


def test_each_stage_logs_what_it_found(server: Server, evaluated: Evaluated) -> None:
    lines = "\n".join(messages(server, evaluated.flow_run_id, evaluated.result["bundle"]))
    for found in (
        r"run \S+-word-count-\w+: quick effort, 2 scenarios, on CPU \d+",
        r"\d+ invocations; words-2000 p50 [\d.]+ µs.*, A/A control",
        r"\d+ samples; the targets hold [\d.]+ % of the time",
        r"6 cases, \d+ operations, (\d+) of \1 kinds of known-bad output caught, 1 of 1 mutant caught; nothing differs",
        r"candidate\.py changed, all in the optimized path; tree [0-9a-f]{12}",
        r"\d+ invocations; words-2000 p50 .* before, .* after: speed-up [\d.]+×",
        rf"{evaluated.result['verdict']}, claim {evaluated.result['claim']}\. ",
    ):
        assert re.search(found, lines), found


def test_the_page_has_verdict_tables_plot_and_flamegraphs_and_fits(server: Server, evaluated: Evaluated) -> None:
    artifact = artifact_of(server, evaluated.flow_run_id, "word-count-verdict")
    page = artifact["data"]
    assert artifact["type"] == "markdown"
    assert f"## Verdict: {evaluated.result['verdict']}" in page
    assert "| words-2000 ★ |" in page
    for metric in ("p50 latency", "p95 latency", "p99 latency", "throughput", "peak RSS", "cold start"):
        assert f"| {metric} |" in page
    pictures = re.findall(r"!\[(.*?)\]\(data:image/svg\+xml;base64,([^)]+)\)", page)
    assert [title.partition(".")[0] for title, _ in pictures] == ["Speed-up by scenario", *["Flamegraph"] * 3]
    assert all(base64.b64decode(data).lstrip().startswith(b"<") for _, data in pictures)
    assert len(page.encode()) < MAX_PAGE_BYTES


def test_the_page_says_where_report_and_bundle_are(server: Server, evaluated: Evaluated) -> None:
    page = artifact_of(server, evaluated.flow_run_id, "word-count-verdict")["data"]
    bundle = evaluated.result["bundle"].removeprefix("file://")
    assert f"- Full report: `{bundle}/{layout.REPORT}`\n- Bundle: `{bundle}`\n" in page


def test_the_bundle_has_the_log_of_the_run(server: Server, evaluated: Evaluated) -> None:
    kept = (Path(evaluated.result["bundle"].removeprefix("file://")) / layout.LOG).read_text()
    shown = messages(server, evaluated.flow_run_id, evaluated.result["bundle"])
    for stage in STAGES[: STAGES.index("archive")]:
        [found] = re.findall(rf"^\S+Z {stage}: (?=.*\d)(.*)$", kept, re.MULTILINE)[-1:]
        assert any(found in line for line in shown), stage


def test_the_bar_is_full_and_says_how_it_ended(server: Server, evaluated: Evaluated) -> None:
    bar = artifact_of(server, evaluated.flow_run_id, "word-count-progress")
    assert (bar["type"], bar["data"]) == ("progress", 100.0)
    assert bar["description"].startswith(f"{evaluated.result['verdict']}, claim ")


def test_the_scenarios_are_a_table(server: Server, evaluated: Evaluated) -> None:
    table = artifact_of(server, evaluated.flow_run_id, "word-count-scenarios")
    rows = json.loads(table["data"])
    assert table["type"] == "table"
    assert [row["scenario"] for row in rows][:1] == ["words-2000 (primary)"]
    assert all("×" in row["speed-up"] for row in rows)


def test_the_events_of_the_bundle_are_prefect_events(server: Server, evaluated: Evaluated) -> None:
    expected = read_events((Path(evaluated.result["bundle"].removeprefix("file://")) / layout.EVENTS).read_bytes())
    found = server.events("prfpipe.", evaluated.result["run_id"], least=len(expected))
    assert sorted(item["event"] for item in found) == sorted(f"prfpipe.{event.code}" for event in expected)
    assert {item["resource"]["prefect.resource.id"] for item in found} == {f"prfpipe.lever.{LEVER}"}


def test_no_result_is_pickled(server: Server, evaluated: Evaluated) -> None:
    tasks = server.find("task_runs", flow_runs={"id": {"any_": [evaluated.flow_run_id]}})
    states = [run["state"] for run in (*tasks, server.get(f"flow_runs/{evaluated.flow_run_id}"))]
    named = {Path((state["data"] or {}).get("storage_key") or "-").name for state in states}
    kept = {path.name for path in Path(server.environment["PREFECT_HOME"]).glob("storage/*")}
    assert len(states) > 8
    assert not named & kept


def test_the_plan_holds_the_command_that_reproduces_the_run(evaluated: Evaluated) -> None:
    plan = layout.read_plan({layout.PLAN: (Path(evaluated.result["bundle"]) / layout.PLAN).read_bytes()})
    assert plan.provenance.command == ("prfpipe", "evaluate", LEVER, "--effort", "quick", "--accept-noise")


def test_inline_gives_the_same_files(evaluated: Evaluated, levers: Path, tmp_path: Path) -> None:
    folder = levers / LEVER.lower()
    done = prfpipe(tmp_path, "evaluate", str(folder), "--inline", "--json", "--accept-noise")
    assert bundle_files(done.bundle) == bundle_files(Path(evaluated.result["bundle"]))


def test_a_resumed_run_repeats_only_what_was_not_finished(
    server: Server, flow: ModuleType, evaluated: Evaluated, levers: Path, tmp_path: Path
) -> None:
    run_id = evaluated.result["run_id"]
    # Without its journal of chains: a run that is not decided has no place in one yet.
    for folder in (".prfpipe/runs", "keys"):
        shutil.copytree(evaluated.home / folder, tmp_path / folder)
    rewind(tmp_path / ".prfpipe" / "runs" / run_id, Stage.DECIDE)
    with worker(tmp_path, levers):
        state = flow.evaluate_lever(lever=LEVER, resume=run_id, return_state=True)
    assert state.is_completed(), state.message
    assert state.result()["run_id"] == run_id
    lines = messages(server, str(state.state_details.flow_run_id), state.result()["bundle"])
    assert sum(line.startswith("finished before: ") for line in lines) == len(STAGES) - 3
    assert Path(state.result()["bundle"]).is_dir()
    assert prfpipe(tmp_path, "audit", state.result()["bundle"]).code == 0


def test_a_failing_stage_fails_the_flow_in_our_words(
    server: Server, flow: ModuleType, levers: Path, tmp_path: Path
) -> None:
    def crash(_: object) -> None:
        raise SubjectCrashError("the baseline died of signal 11", hint="Run it by hand.")

    with worker(tmp_path, levers) as patch:
        patch.setitem(run.LOOP, Stage.BASELINE, crash)
        state = flow.evaluate_lever(lever=LEVER, accept_noise=True, return_state=True)
    assert state.is_failed()
    assert "the baseline died of signal 11" in state.message
    flow_run_id = str(state.state_details.flow_run_id)
    assert [(task["name"], task["run_count"]) for task in tasks(server, flow_run_id)][1:] == [(f"baseline {LEVER}", 1)]
    lines = messages(server, flow_run_id, "to go on with this run: prfpipe evaluate")
    assert any("the baseline died of signal 11 (Run it by hand.)" in line for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_a_refusal_of_the_store_is_not_retried_and_the_verdict_is_shown_all_the_same(
    server: Server, flow: ModuleType, evaluated: Evaluated, levers: Path, tmp_path: Path
) -> None:
    def refuse(*_: object) -> str:
        raise StoreError("the store says no", hint="Ask for the right to write.")

    shutil.copytree(evaluated.home / ".prfpipe", tmp_path / ".prfpipe")
    with worker(tmp_path, levers) as patch:
        patch.setattr(closing, "archive_sealed", refuse)
        state = flow.evaluate_lever(lever=LEVER, resume=evaluated.result["run_id"], return_state=True)
    assert state.is_failed()
    flow_run_id = str(state.state_details.flow_run_id)
    *_, archive, publish = tasks(server, flow_run_id)
    assert (archive["name"], archive["state_type"], archive["run_count"]) == (f"archive {LEVER}", "FAILED", 1)
    assert (publish["name"], publish["state_type"]) == (f"publish {LEVER}", "COMPLETED")
    page = artifact_of(server, flow_run_id, "word-count-verdict")["data"]
    assert f"## Verdict: {evaluated.result['verdict']}" in page
    assert "**Not archived**: the store says no\n- Ask for the right to write.\n" in page
    lines = messages(server, flow_run_id, "not archived yet, but decided")
    assert any("the store says no (Ask for the right to write.)" in line for line in lines)


@pytest.mark.parametrize(
    "refused",
    [
        {"lever": "../x"},
        {"lever": "/etc"},
        {"lever": "word-count"},
        {"lever": ""},
        {"lever": "LEV-01\n"},
        {"lever": LEVER, "effort": "nonsense"},
        {"lever": LEVER, "resume": "../../x"},
        {"lever": LEVER, "accept_noise": "perhaps"},
        {"lever": LEVER, "folder": "."},
    ],
)
def test_refused_parameters_fail_before_anything_runs(
    flow: ModuleType, levers: Path, tmp_path: Path, refused: dict[str, Any]
) -> None:
    from prefect.exceptions import ParameterBindError, ParameterTypeError

    with worker(tmp_path, levers), pytest.raises((ParameterBindError, ParameterTypeError)):
        flow.evaluate_lever(**refused)
    assert not (tmp_path / ".prfpipe").exists()


def test_a_folder_with_the_name_of_an_id_is_not_taken_for_a_lever(
    flow: ModuleType, levers: Path, tmp_path: Path
) -> None:
    shutil.copytree(levers / LEVER.lower(), tmp_path / "PLANTED")
    with worker(tmp_path, levers):
        state = flow.evaluate_lever(lever="PLANTED", return_state=True)
    assert state.is_failed()
    assert "no lever PLANTED" in state.message
