"""PRF-01's measuring: what a start is, how it ends, and each way in which one does not count."""

import sys
from pathlib import Path
from typing import Any

import pytest

from prfpipe import host
from prfpipe.errors import GateError, ProfilerError
from prfpipe.gates import cold_start
from prfpipe.gates.cold_start import LAST_PHASE, AnyProgram, OwnSubject, open_measurement
from prfpipe.gates.spec import Gate
from prfpipe.models import GateReport
from tests.support.gate_runs import answer_of, context_of, failure_of, gate_of, report_of, settings_of
from tests.support.subjects import is_running, wait_until_gone

GENEROUS = {"wall": 60_000.0, "cpu": 60_000.0}
TIGHT = {"wall": 1.0, "cpu": 0.1}
WORLD = """
import itertools, json

def operations(params, seed):
    for number in itertools.count(seed % 1000):
        yield {"request": number, "answer": number * params.get("times", 2)}

def prepare(operation, params, workdir):
    (workdir / "state.json").write_text(json.dumps(params))
"""
SUBJECT = """
import time
marks = [("interpreter", time.perf_counter_ns())]
import json, os, sys
state = json.load(open("state.json"))
marks.append(("trust", time.perf_counter_ns()))
{before}
answer = int(sys.stdin.readline()) * 2
{after}
print(json.dumps({{"marks": marks, "answer": answer}}), flush=True)
sys.stdin.read()
"""


def own(tmp_path: Path, *, before: str = "", after: str = "", source: str = WORLD, **params: Any) -> Gate:
    """A gate with a subject of its own; `before` and `after` are lines around its first answer."""
    files = {"subject.py": SUBJECT.format(before=before, after=after), "world.py": source}
    return gate_of(
        tmp_path / "gate", files, GENEROUS, id="PRF-01", params={"world": "world.py", "warm_up": 1, **params}
    )


def of_command(tmp_path: Path, *words: str, budgets: dict[str, float] = GENEROUS) -> dict[str, Any]:
    """Arguments for a run of the gate on a command."""
    files = {"subject.py": "", "world.py": WORLD}
    params = {"world": "world.py", "warm_up": 1}
    gate = gate_of(tmp_path / "gate", files, budgets, id="PRF-01", params=params)
    return {"gate": gate, "tmp_path": tmp_path, "command": words, "samples": 3}


def python(source: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", source)


def notes_of(report: GateReport) -> str:
    return "\n".join(report.notes)


# ---- any program -------------------------------------------------------------------------------------------


def test_a_program_that_ends_with_0_was_ready_then(tmp_path: Path) -> None:
    report = report_of(**of_command(tmp_path, "/bin/sh", "-c", "exit 0"))
    assert {check.subject: check.samples for check in report.checks} == {"wall": 3, "cpu": 3}
    assert all(check.value > 0 for check in report.checks)


def test_a_program_finds_nothing_that_an_earlier_start_has_kept_at_home(tmp_path: Path) -> None:
    source = "test ! -e ~/kept && test ! -e $TMPDIR/kept && touch ~/kept $TMPDIR/kept"
    report = report_of(**of_command(tmp_path, "/bin/sh", "-c", source))
    assert {check.samples for check in report.checks} == {3}


def test_a_program_is_ready_at_its_first_line_and_is_ended_then(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = python(
        f"import os,time; open({str(pids)!r},'a').write(f'{{os.getpid()}}\\n'); print(flush=True); time.sleep(99)"
    )
    report_of(**of_command(tmp_path, *program))
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 1 + 3  # one to warm up
    assert not any(map(is_running, started))


def test_wall_time_counts_until_the_line_that_says_ready(tmp_path: Path) -> None:
    source = (
        "import time; print('starting', flush=True); time.sleep(.15); print('listening', flush=True); time.sleep(99)"
    )
    report = report_of(**of_command(tmp_path, *python(source)), ready="listening")
    (wall,) = [check for check in report.checks if check.subject == "wall"]
    assert wall.value >= 150
    assert ("ready", "a line with 'listening'") in report.tables[0].rows


def test_cpu_time_is_what_the_program_worked_and_not_what_it_waited(tmp_path: Path) -> None:
    source = "import time; time.sleep(.2)\nwhile time.process_time() < .05: pass"
    report = report_of(**of_command(tmp_path, *python(source)))
    value = {check.subject: check.value for check in report.checks}
    assert 50 <= value["cpu"] <= value["wall"] - 150


def test_cpu_time_has_that_of_children_that_were_waited_for(tmp_path: Path) -> None:
    child = "import time\\nwhile time.process_time() < .05: pass"
    source = f"import subprocess,sys; subprocess.run([sys.executable,'-I','-S','-c','{child}'])"
    report = report_of(**of_command(tmp_path, *python(source)))
    assert {check.subject: check.value for check in report.checks}["cpu"] >= 50


def test_a_command_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    failed = failure_of(**of_command(tmp_path, "no-such-program-at-all"))
    assert "was not found" in failed.message
    assert "PATH" in failed.hint


def test_a_file_that_may_not_be_run_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("hello")
    failed = failure_of(**of_command(tmp_path, str(tmp_path / "plain.txt")))
    assert "is not executable" in failed.message
    assert "chmod +x" in failed.hint


def test_a_program_that_fails_gives_its_exit_code_and_the_end_of_its_stderr(tmp_path: Path) -> None:
    failed = failure_of(
        **of_command(tmp_path, *python("import sys; sys.exit('no config: ' + 'x' * 5000 + ' the end')"))
    )
    assert "ended with 1 before it was ready" in failed.message
    assert failed.notes[-1].endswith("the end")
    assert sum(map(len, failed.notes)) < 2200


def test_a_program_that_dies_of_a_signal_fails(tmp_path: Path) -> None:
    assert "ended with -6" in failure_of(**of_command(tmp_path, *python("import os; os.abort()"))).message


def test_a_program_that_is_never_ready_hangs(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, subject_timeout_seconds=0.3)
    failed = failure_of(**of_command(tmp_path, *python("import time; time.sleep(99)")), settings=settings)
    assert "was not ready within 0.3 s" in failed.message


def test_an_end_without_the_awaited_line_is_no_readiness(tmp_path: Path) -> None:
    failed = failure_of(**of_command(tmp_path, *python("print('hello')")), ready="listening")
    assert "without saying that it is ready" in failed.message


def test_a_line_that_was_never_ended_is_no_readiness_line(tmp_path: Path) -> None:
    source = "import sys; sys.stdout.write('listening'); sys.stdout.flush()"
    failed = failure_of(**of_command(tmp_path, *python(source)), ready="listening")
    assert "without saying that it is ready" in failed.message


def test_a_program_that_prints_without_end_is_refused(tmp_path: Path) -> None:
    source = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    assert "a line of more than" in failure_of(**of_command(tmp_path, *python(source))).message


def test_a_program_that_says_ready_and_fails_then_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_start, "_LINGER_S", 60.0)  # it has ended long before, on whatever machine
    source = "import sys; print('usage: server PORT', flush=True); sys.exit(2)"
    # Whether the line or the end is seen first is chance; neither counts.
    failed = failure_of(**of_command(tmp_path, *python(source)))
    assert "ended with 2" in failed.message


def test_no_shell_looks_at_the_command(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    report_of(**of_command(tmp_path, "/bin/echo", f"; touch {trap}", "$(touch " + str(trap) + ")"))
    assert not trap.exists()


def test_what_a_program_leaves_running_is_ended_even_outside_of_its_session(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    stays = f"import os,time; os.setsid(); open({str(pids)!r},'a').write(f'{{os.getpid()}}\\n'); time.sleep(99)"
    source = (
        f"import subprocess,sys,os,time; subprocess.Popen([sys.executable,'-I','-S','-c',{stays!r}])\n"
        f"while not os.path.exists({str(pids)!r}): time.sleep(.01)"
    )
    report_of(**of_command(tmp_path, *python(source)))
    for pid in pids.read_text().split():
        wait_until_gone(int(pid))


def test_a_daemon_that_holds_stdout_open_does_not_hide_the_end(tmp_path: Path) -> None:
    report = report_of(**of_command(tmp_path, "/bin/sh", "-c", "sleep 99 & exit 0"))
    assert all(check.value < 60_000 for check in report.checks)


def test_a_program_sees_nothing_of_the_environment_that_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "s3cret")
    report_of(**of_command(tmp_path, *python("import os,sys; sys.exit('MY_SECRET' in os.environ)")))


def test_each_start_has_another_hash_seed_and_another_size(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    words = "os.environ['PYTHONHASHSEED'], len(os.environ['PRFPIPE_PADDING'])"
    source = f"import os; print({words}, file=open({str(seen)!r}, 'a'))"
    report_of(**of_command(tmp_path, *python(source)))
    lines = seen.read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines)
    assert len({line.split()[1] for line in lines}) > 1


def test_a_start_is_pinned_to_the_measuring_cpu(tmp_path: Path) -> None:
    source = f"import os,sys; sys.exit(os.sched_getaffinity(0) != {{{host.measuring_cpu()}}})"
    report_of(**of_command(tmp_path, *python(source)))


def test_a_slow_program_fails_with_exit_code_1(tmp_path: Path) -> None:
    arguments = of_command(tmp_path, "/bin/sleep", "0.002", budgets={"wall": 1.0, "cpu": 60_000.0})
    code, report = answer_of(**arguments | {"samples": 100})
    assert code == 1
    assert isinstance(report, GateReport)
    assert {check.subject: check.state for check in report.checks} == {"wall": "fail", "cpu": "undecided"}
    assert "wall: no flamegraph: this subject cannot be profiled" in notes_of(report)


def test_too_few_starts_leave_it_open_with_exit_code_3(tmp_path: Path) -> None:
    code, report = answer_of(**of_command(tmp_path, "/bin/true"))
    assert code == 3
    assert isinstance(report, GateReport)
    assert {check.state for check in report.checks} == {"undecided"}


def test_the_plan_names_program_seed_and_budgets(tmp_path: Path) -> None:
    report = report_of(**of_command(tmp_path, "/bin/true"))
    (plan,) = report.tables
    rows = dict(plan.rows)
    assert rows["program"] == "/bin/true"
    assert int(rows["seed"]) > 0
    assert rows["budgets"] == "wall 60000 ms, cpu 60000 ms"
    assert rows["samples of each subject"].startswith("3:")
    assert "Files are warm" in notes_of(report)


def test_secrets_of_a_command_line_are_not_shown(tmp_path: Path) -> None:
    report = report_of(**of_command(tmp_path, "/bin/true", "https://user:s3cret@host/?token=s3cret"))
    assert "s3cret" not in report.model_dump_json()


def test_a_command_of_the_gate_itself_runs_in_its_folder(tmp_path: Path) -> None:
    keys = {"id": "PRF-01", "subject": {"command": ["/bin/sh", "run.sh"]}, "params": {"ready": "up"}}
    gate = gate_of(tmp_path / "gate", {"run.sh": "echo up; sleep 99"}, GENEROUS, **keys)
    assert report_of(gate, tmp_path, samples=2).checks[0].samples == 2


# ---- the gate's own subject ----------------------------------------------------------------------------------


def test_phases_follow_each_other_and_add_up_to_the_start(tmp_path: Path) -> None:
    gate = own(tmp_path, before="time.sleep(.05); marks.append(('operation', time.perf_counter_ns()))")
    with open_measurement(context_of(gate, tmp_path)) as measured:
        measured.take(3, {"wall", "cpu"})
        phases, samples = measured.phases()["wall"], measured.samples()
    assert list(phases) == ["interpreter", "trust", "operation", LAST_PHASE]
    assert [sum(parts) for parts in zip(*phases.values(), strict=True)] == samples["wall"]
    assert min(phases["operation"]) >= 50_000_000


def test_a_wrong_first_answer_is_told_with_both_answers(tmp_path: Path) -> None:
    failed = failure_of(own(tmp_path, after="answer += 1"), tmp_path, samples=2)
    assert "gave a wrong first answer" in failed.message


def test_the_profile_decides_how_large_the_world_is(tmp_path: Path) -> None:
    gate = own(tmp_path, after="answer = answer // 2 * state['times']", worlds={"dev_local": {"times": 7}})
    assert report_of(gate, tmp_path, samples=2).checks[0].samples == 2


def test_each_start_finds_a_fresh_copy_of_its_state(tmp_path: Path) -> None:
    gate = own(tmp_path, before="assert not os.path.exists('left'); open('left', 'w')")
    assert report_of(gate, tmp_path, samples=3).checks[0].samples == 3


@pytest.mark.parametrize(
    "line",
    [
        "marks.reverse()",
        "marks.append(('late', time.perf_counter_ns() + 10**12))",
        "marks.insert(0, ('early', 1))",
        "marks.append(('trust', time.perf_counter_ns()))",
        f"marks.append(({LAST_PHASE!r}, time.perf_counter_ns()))",
    ],
    ids=["backwards", "after the answer", "before the spawn", "twice the same", "the gate's own"],
)
def test_marks_that_cannot_be_are_refused(tmp_path: Path, line: str) -> None:
    assert "marks that cannot be" in failure_of(own(tmp_path, after=line), tmp_path, samples=2).message


def test_other_phases_than_in_the_start_before_are_refused(tmp_path: Path) -> None:
    line = "marks.append((os.environ['PYTHONHASHSEED'], time.perf_counter_ns()))"
    assert "marks that cannot be" in failure_of(own(tmp_path, after=line), tmp_path, samples=2).message


@pytest.mark.parametrize(
    "line", ["print('{}', flush=True)", "print('{\"answer\": 1}', flush=True)", "print('{x', flush=True)"]
)
def test_a_document_that_is_no_readiness_is_refused(tmp_path: Path, line: str) -> None:
    assert "the subject of PRF-01 printed" in failure_of(own(tmp_path, after=line), tmp_path, samples=2).message


def test_what_a_subject_prints_besides_is_no_answer(tmp_path: Path) -> None:
    assert report_of(own(tmp_path, after="print('starting up')"), tmp_path, samples=2).checks[0].samples == 2


def test_a_subject_that_dies_leaves_the_end_of_its_stderr(tmp_path: Path) -> None:
    failed = failure_of(own(tmp_path, before="raise RuntimeError('trust store is gone')"), tmp_path, samples=2)
    assert "ended with 1" in failed.message
    assert "RuntimeError: trust store is gone" in "\n".join(failed.notes)


def test_a_missing_subject_measures_nothing(tmp_path: Path) -> None:
    gate = own(tmp_path)
    (gate.root / "subject.py").unlink()
    assert "missing" in failure_of(gate, tmp_path, samples=2).message


def test_an_operation_that_is_no_request_with_an_answer_is_refused(tmp_path: Path) -> None:
    world = WORLD.replace('"answer"', '"expected"')
    assert "not {request, answer}" in failure_of(own(tmp_path, source=world), tmp_path, samples=2).message


def test_a_request_that_no_pipe_holds_is_refused(tmp_path: Path) -> None:
    world = WORLD.replace('"request": number', '"request": "x" * 100_000')
    assert "larger than a pipe" in failure_of(own(tmp_path, source=world), tmp_path, samples=2).message


def test_a_world_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    world = WORLD.replace("(workdir /", "(nowhere /")
    assert "NameError" in failure_of(own(tmp_path, source=world), tmp_path, samples=2).message


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"world": "other.py"}, "params.world: other.py is not a file"),
        ({"world": ""}, "params.world"),
        ({"warm_up": 0}, "params.warm_up"),
        ({"warmup": 3}, "params.warmup"),
        ({"worlds": {"production": {}}}, "params.worlds"),
    ],
)
def test_parameters_that_are_not_valid_are_named_with_their_file(
    tmp_path: Path, params: dict[str, Any], named: str
) -> None:
    gate = own(tmp_path, **params)
    with pytest.raises(GateError, match=r"gate\.yaml: params") as caught:
        open_measurement(context_of(gate, tmp_path))
    assert named in caught.value.message


def test_a_lever_is_no_subject_of_a_cold_start(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"id": "PRF-01", "subject": {"lever": "lever.yaml"}}
    gate = gate_of(tmp_path / "gate", {"lever.yaml": "{}"}, GENEROUS, **keys)
    with pytest.raises(GateError, match="no subject of a cold start"):
        open_measurement(context_of(gate, tmp_path))


def test_no_process_is_left_when_a_measuring_is_closed(tmp_path: Path) -> None:
    with open_measurement(context_of(own(tmp_path), tmp_path)) as measured:
        assert isinstance(measured, OwnSubject)
        measured.take(1, {"wall"})
        pid = measured.world.pid
    measured.close()
    wait_until_gone(pid)


def test_wall_time_is_not_what_the_subject_says(tmp_path: Path) -> None:
    gate = own(tmp_path, before="time.sleep(.1)", after="marks[:] = marks[:1]")
    with open_measurement(context_of(gate, tmp_path)) as measured:
        measured.take(2, {"wall"})
        assert min(measured.samples()["wall"]) >= 100_000_000


def test_a_failing_start_is_profiled_over_many_starts_without_the_import_machinery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_start, "PROFILED_STARTS", 2)
    busy = "def hydrate():\n    end = time.process_time() + .2\n    while time.process_time() < end: pass\nhydrate()"
    gate = own(tmp_path, before=busy)
    with open_measurement(context_of(gate, tmp_path)) as measured:
        folder = tmp_path / "raw"
        folder.mkdir()
        stacks = measured.profile("wall", folder)
    assert stacks is not None
    assert b"/gate/subject.py);hydrate (" in stacks
    # A stack that holds nothing else, as the interpreter's own start does, keeps it.
    assert [line for line in stacks.splitlines() if b"<frozen importlib" in line and b";" in line] == []


def test_starts_that_py_spy_cannot_see_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_start, "PROFILED_STARTS", 0)
    with (
        open_measurement(context_of(own(tmp_path), tmp_path)) as measured,
        pytest.raises(ProfilerError, match="saw none of the starts"),
    ):
        measured.profile("wall", tmp_path)


def test_a_command_is_not_profiled(tmp_path: Path) -> None:
    context = context_of(own(tmp_path), tmp_path, command=("/bin/true",))
    with open_measurement(context) as measured:
        assert isinstance(measured, AnyProgram)
        assert measured.profile("wall", tmp_path) is None
        assert not measured.phases()
