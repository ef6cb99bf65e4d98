"""What every profiler must do, on a real small lever: find what was planted, leave valid files only."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from prfpipe import profilers
from prfpipe.errors import ProfilerError, SubjectCrashError, SubjectHangError, TooFewSamplesError
from prfpipe.models import CommandVariant, LeverSpec, ProfileRecord, PythonVariant, Scenario, Variants
from prfpipe.profilers import folded, hotspots
from prfpipe.profilers.protocol import Run
from prfpipe.profilers.py_spy import PySpy
from prfpipe.profilers.session import Job, explain_difference, profile_variant
from prfpipe.progress import Silent

WORKLOAD = """
def operations(params, seed):
    while True:
        yield seed

def canonical(result):
    return str(result).encode()

def edge_cases(params):
    return []
"""
SUBJECT = """
import os

def planted_hot(count):
    total = 0
    for number in range(count):
        total += number * number % 7
    return total

def planted_memory(count):
    kept = []
    for _ in range(count):
        kept.append(bytearray(16384))
    return kept

def cool():
    return sum(range(2000))

class Subject:
    def __init__(self, params, workdir):
        self.left = params["crash_after"]

    def operate(self, operation):
        self.left -= 1
        if self.left == 0:
            {last}
        print("the subject's own output", flush=True)
        return planted_hot({work}) + cool() + len(planted_memory(50))

    def close(self):
        pass
"""
FILES = {
    "py-spy": ("cpu.folded", "cpu.speedscope.json", "cpu.svg", "hotspots.json"),
    "memray": ("memory.html", "memory.json"),
}
FEW_SAMPLES = 20
FIRST_PROFILED = 2
"""The operation after the warm-up: on a busy machine the time may be up after it."""
each_profiler = pytest.mark.parametrize("name", sorted(profilers.PROFILERS))


@pytest.fixture(autouse=True)
def _few_samples_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile takes half a second here, in which neighbours may leave py-spy little of its core."""
    monkeypatch.setattr(hotspots, "MIN_SAMPLES", FEW_SAMPLES)


class Progress(Silent):
    def __init__(self) -> None:
        self.said: list[tuple[str, float | None, float | None]] = []

    def say(self, text: str, *, done: float | None = None, remaining: float | None = None) -> None:
        self.said.append((text, done, remaining))


def lever(tree: Path, *profiles: str, last: str = "raise ValueError('planted')", crash_after: int = -1) -> LeverSpec:
    tree.mkdir()
    (tree / "workload.py").write_text(WORKLOAD)
    (tree / "baseline.py").write_text(SUBJECT.format(work=100_000, last=last))
    (tree / "candidate.py").write_text(SUBJECT.format(work=30_000, last=last))
    variants = {name: PythonVariant(python=f"{name}.py") for name in ("baseline", "candidate")}
    return LeverSpec(
        id="T-1", title="t", owner_track="1", claim="c", risk="r", expected_speedup=(1.0, 2.0),
        optimized_path=("candidate.py",), targets=("baseline.py:planted_hot",), workload="workload.py",
        variants=Variants(**variants),
        scenarios=(Scenario(name="only", primary=True, params={"crash_after": crash_after}),),
        profiles=profiles,  # type: ignore[arg-type]
    )  # fmt: skip


def job(tmp_path: Path, spec: LeverSpec, variant: str = "baseline", timeout: float = 300.0) -> Job:
    out = tmp_path / "out" / variant
    return Job(spec, variant, tmp_path / "tree", tmp_path / "scratch" / variant, out, 1, 0.5, timeout)  # type: ignore[arg-type]


def profiled(tmp_path: Path, *profiles: str) -> ProfileRecord:
    return profile_variant(job(tmp_path, lever(tmp_path / "tree", *profiles)), Silent())


def processes_of(tmp_path: Path) -> list[str]:
    """Command lines of running processes that name this test's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if str(tmp_path) in line:
            found.append(line.replace("\0", " "))
    return found


@pytest.mark.parametrize("poor", [1, 2])
def test_a_profile_with_too_few_samples_is_made_again_for_longer_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, poor: int
) -> None:
    operations: list[int] = []
    collect = PySpy.collect

    def counted(profiler: PySpy, run: Run) -> object:
        operations.append(run.operations)
        if len(operations) <= poor:
            raise TooFewSamplesError("invalid profile", hint="")
        return collect(profiler, run)

    monkeypatch.setattr(PySpy, "collect", counted)
    with nullcontext() if poor == 1 else pytest.raises(TooFewSamplesError):
        assert profiled(tmp_path, "py-spy").cpu
    assert operations[1] > operations[0]
    assert len(operations) == 2


@each_profiler
def test_a_profile_finds_what_was_planted_and_leaves_valid_files(name: str, tmp_path: Path) -> None:
    record = profiled(tmp_path, name)
    out = tmp_path / "out" / "baseline"
    assert record.operations >= profilers.get(name).least
    assert tuple(sorted(path.name for path in out.iterdir())) == FILES[name]
    {"py-spy": check_cpu, "memray": check_memory}[name](record, out)
    for path in out.iterdir():
        assert str(tmp_path) not in path.read_text(), f"{path.name} names a folder of this machine"
        assert str(Path.home()) not in path.read_text(), f"{path.name} names a home folder"
    until(lambda: processes_of(tmp_path) == [])


def check_cpu(record: ProfileRecord, out: Path) -> None:
    assert record.cpu is not None
    assert record.allocations is None
    top = record.cpu.hotspots[0]
    assert (top.function, top.file) == ("planted_hot", "baseline.py")
    assert top.self_percent > 50
    assert record.cpu.target_percent == pytest.approx(top.total_percent)
    assert record.cpu.amdahl_speedup is None or record.cpu.amdahl_speedup > 2
    stacks = folded.read(out / "cpu.folded")
    assert sum(stacks.values()) == record.cpu.samples
    assert {stack[0].function.split(".")[-1] for stack in stacks} == {"operate"}
    ET.fromstring((out / "cpu.svg").read_bytes())
    assert json.loads((out / "cpu.speedscope.json").read_text())["profiles"][0]["endValue"] == record.cpu.samples
    told = json.loads((out / "hotspots.json").read_text())
    assert told["self"][0]["function"] == "planted_hot"
    assert told["total"][0]["total_percent"] == 100


def check_memory(record: ProfileRecord, out: Path) -> None:
    assert record.allocations is not None
    assert record.cpu is None
    site = record.allocations.sites[0]
    assert (site.function, site.file) == ("planted_memory", "baseline.py")
    assert site.bytes >= 50 * 16384 * record.operations
    assert site.allocations >= 50 * record.operations
    assert record.allocations.peak_bytes > 50 * 16384
    told = json.loads((out / "memory.json").read_text())
    assert told["bytes_per_operation"] >= 50 * 16384
    page = (out / "memory.html").read_text()
    assert "planted_memory" in page
    assert re.search(r"<(script|link|img)[^>]+(src|href)\s*=\s*[\"']?https?:", page) is None


def test_a_lever_asks_for_both_and_the_difference_says_where_the_saving_was(tmp_path: Path) -> None:
    spec = lever(tmp_path / "tree", "py-spy", "memray")
    progress = Progress()
    records = [profile_variant(job(tmp_path, spec, variant), progress) for variant in ("baseline", "candidate")]
    assert all(record.cpu and record.allocations for record in records)
    assert records[1].cpu is not None
    assert records[1].cpu.targets == ("candidate.py:planted_hot",)
    assert records[1].cpu.target_percent > 20
    out = tmp_path / "out"
    found = explain_difference(spec, out / "baseline", out / "candidate", out, time_ratio=0.4)
    assert found is not None
    assert found.saved_percent == pytest.approx(60, abs=0.01)
    assert found.saved_in_targets_percent > 30
    assert "planted_hot" in {saving.function for saving in found.savings[:2]}
    assert (out / "diff.svg").stat().st_size < 200_000
    assert (out / "diff.folded").read_text().startswith("operate (baseline.py → candidate.py)")
    assert {text for text, _, _ in progress.said} == {
        f"profiling the {variant} with {name}" for variant in ("baseline", "candidate") for name in FILES
    }
    assert all(done is not None and 0 <= done <= 1 for _, done, _ in progress.said)


@each_profiler
@pytest.mark.parametrize("last", ["raise ValueError('planted')", "os._exit(3)"])
def test_a_crash_while_profiled_is_the_subjects_and_leaves_no_process(name: str, last: str, tmp_path: Path) -> None:
    spec = lever(tmp_path / "tree", name, last=last, crash_after=FIRST_PROFILED)
    with pytest.raises(SubjectCrashError):
        profile_variant(job(tmp_path, spec), Silent())
    until(lambda: processes_of(tmp_path) == [])


@each_profiler
def test_a_hang_while_profiled_ends_in_time_and_leaves_no_process(name: str, tmp_path: Path) -> None:
    spec = lever(tmp_path / "tree", name, last="__import__('time').sleep(600)", crash_after=FIRST_PROFILED)
    with pytest.raises(SubjectHangError):
        profile_variant(job(tmp_path, spec, timeout=0.7), Silent())
    until(lambda: processes_of(tmp_path) == [])


@each_profiler
def test_a_missing_tool_is_named_with_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("prfpipe.profilers.py_spy.shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("prfpipe.profilers.memray.find_spec", lambda _: None)
    with pytest.raises(ProfilerError, match=f"{name} is not installed") as caught:
        profiled(tmp_path, name)
    assert f"pip install {name}" in caught.value.hint


def test_an_unknown_profiler_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ProfilerError, match="no profiler 'perf'") as caught:
        profilers.get("perf")
    assert "py-spy" in caught.value.hint


def test_a_command_variant_is_noted_and_not_profiled(tmp_path: Path) -> None:
    spec = lever(tmp_path / "tree", "py-spy", "memray")
    command = CommandVariant(command=("node", "subject.js"))
    spec = spec.model_copy(update={"variants": Variants(baseline=command, candidate=command)})
    record = profile_variant(job(tmp_path, spec), Silent())
    assert (record.cpu, record.allocations, record.operations) == (None, None, 0)
    assert "command" in record.notes[0]
    assert explain_difference(spec, tmp_path, tmp_path, tmp_path, time_ratio=1.0) is None


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw output of each profiler, with what it printed."""
    root = tmp_path_factory.mktemp("recorded")
    profiled(root, *profilers.PROFILERS)
    return root


def collect(recorded: Path, name: str, tmp_path: Path, raw: bytes | None, report: str | None = None) -> object:
    """Have a profiler look at `raw` as if it had just written it; None: it wrote nothing."""
    source = recorded / "scratch" / "baseline" / name
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(source / "report.txt", tmp_path / "report.txt")
    if raw is not None:
        (tmp_path / "profile.raw").write_bytes(raw)
    if report is not None:
        (tmp_path / "report.txt").write_text(report)
    run = profilers.Run(
        tmp_path / "profile.raw", tmp_path / "report.txt", recorded / "tree", folder, "title", 9,
        profilers.Targets(("baseline.py",)),
    )  # fmt: skip
    return profilers.get(name).collect(run)


def raw_output(recorded: Path, name: str) -> bytes:
    return (recorded / "scratch" / "baseline" / name / "profile.raw").read_bytes()


@each_profiler
def test_the_same_output_can_be_collected_again(name: str, recorded: Path, tmp_path: Path) -> None:
    assert collect(recorded, name, tmp_path, raw_output(recorded, name)) is not None


@each_profiler
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "halved", "garbage", "text"])
def test_damaged_output_is_refused_and_leaves_no_files(name: str, damage: str, recorded: Path, tmp_path: Path) -> None:
    raw = raw_output(recorded, name)
    damaged = {
        "missing": None,
        "empty": b"",
        "cut": raw[:-3],
        "halved": halved(raw),
        "garbage": bytes(range(256)) * 20,
        "text": b"Traceback (most recent call last):\n",
    }[damage]
    with pytest.raises(ProfilerError) as caught:
        collect(recorded, name, tmp_path, damaged)
    assert caught.value.hint
    assert list((tmp_path / "folder").iterdir()) == []


def halved(raw: bytes) -> bytes:
    """The first half, where it is lines cut between two of them: what is left looks whole."""
    at = raw.rfind(b"\n", 0, len(raw) // 2)
    return raw[: at + 1] if raw.isascii() else raw[: len(raw) // 2]


@pytest.mark.parametrize("report", ["", "py-spy> Wrote raw flamegraph data\n"])
def test_py_spy_that_does_not_say_that_it_finished_is_refused(report: str, recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(ProfilerError, match="did not say that it finished"):
        collect(recorded, "py-spy", tmp_path, raw_output(recorded, "py-spy"), report)


def test_py_spy_that_could_hardly_sample_is_refused(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(ProfilerError, match="sampling errors"):
        collect(recorded, "py-spy", tmp_path, raw_output(recorded, "py-spy"), "Samples: 150 Errors: 900\n")


def test_py_spy_that_may_not_trace_is_the_profilers_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = tmp_path / "py-spy"
    said = "Error: Permission Denied: Try running again with elevated permissions"
    refusing.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr("prfpipe.profilers.py_spy._executable", lambda: str(refusing))
    with pytest.raises(ProfilerError, match="Permission Denied") as caught:
        profiled(tmp_path, "py-spy")
    assert "SYS_PTRACE" in caught.value.hint


def test_a_subject_that_aborts_under_memrays_first_environment_gets_the_second(tmp_path: Path) -> None:
    mixed = "os.environ.get('PYTHONMALLOC') or os.abort()"
    spec = lever(tmp_path / "tree", "memray", last=mixed, crash_after=1)
    record = profile_variant(job(tmp_path, spec), Silent())
    assert record.allocations is not None
    assert {"planted_hot", "planted_memory"} <= {site.function for site in record.allocations.sites}


@each_profiler
def test_what_only_the_warm_up_does_is_not_in_the_profile(name: str, tmp_path: Path) -> None:
    spec = lever(tmp_path / "tree", name, last="planted_memory(3000)", crash_after=1)
    record = profile_variant(job(tmp_path, spec), Silent())
    if record.allocations is not None:
        assert record.allocations.allocations < 500 * record.operations
        assert record.allocations.total_bytes < 2 * 50 * 16384 * record.operations
    told = (tmp_path / "out" / "baseline").glob("*.json")
    assert all(json.loads(path.read_text()).get("operations", record.operations) == record.operations for path in told)


def test_the_world_is_prepared_before_each_operation(tmp_path: Path) -> None:
    spec = lever(tmp_path / "tree", "memray")
    (tmp_path / "tree" / "workload.py").write_text(
        WORKLOAD + "\ndef prepare(operation, params, workdir):\n    (workdir / 'world').write_text('ready')\n"
    )
    subject = (tmp_path / "tree" / "baseline.py").read_text()
    (tmp_path / "tree" / "baseline.py").write_text(
        subject.replace("self.left -= 1", "os.unlink('world')  # fails where nobody prepared")
    )
    assert profile_variant(job(tmp_path, spec), Silent()).operations >= 1  # and one to warm up


KILLED = """
import sys
from pathlib import Path
from prfpipe.models import LeverSpec
from prfpipe.profilers.session import Job, profile_variant
from prfpipe.progress import Silent

root = Path(sys.argv[1])
spec = LeverSpec.model_validate_json((root / "spec.json").read_bytes())
profile_variant(Job(spec, "baseline", root / "tree", root / "scratch", root / "out", 1), Silent())
"""


@each_profiler
def test_a_killed_parent_leaves_no_process_even_if_the_subject_hangs(name: str, tmp_path: Path) -> None:
    hang = "open('hangs', 'x'); __import__('time').sleep(600)"
    spec = lever(tmp_path / "tree", name, last=hang, crash_after=1)
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[2]) as parent:
        until((tmp_path / "scratch" / name / "work" / "hangs").exists)
        parent.kill()
    until(lambda: processes_of(tmp_path) == [])


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens at once on an idle machine and takes a while on a busy one."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen")
