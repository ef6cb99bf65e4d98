"""prfpipe gate, end to end over a tiny real program: exit codes, the folder, JSON, and what must never pass."""

import errno
import gzip
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from prfpipe.errors import NothingMeasuredError, TamperError
from prfpipe.events import read_events
from prfpipe.gates.history import read_report
from prfpipe.gates.judge import judge
from prfpipe.gates.measurement import GateOptions, Paired, Sampled
from prfpipe.gates.run import MEASURES, run_gate
from prfpipe.models import GATE_IDS
from tests.support.commands import Ended, prfpipe
from tests.support.gates import PROFILES, REASON, budget, gate_yaml, milliseconds, write_gate

FAST, SLOW, SPIKY = [50, 0, 0], [3000, 0, 0], [50, 12, 3000]


Gate = Callable[..., Ended]


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """`prfpipe gate PRF-02 …` over a gate of 2.5 ms whose subjects do `work`; keywords go into its params."""
    for name in ("GATES", "GATE_REPORTS", "LOCK"):
        monkeypatch.setenv(f"PRFPIPE_{name}", str(tmp_path / name.lower()))
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(MEASURES, "PRF-02", "tests.support.gates")

    def call(
        *words: str,
        work: Mapping[str, Sequence[int]] | None = None,
        spec: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> Ended:
        found = {"work": FAST} if work is None else work
        data = {**gate_yaml(dict.fromkeys(["work"], 2.5)), **(spec or {}), "params": {"work": found, **params}}
        write_gate(tmp_path / "gates" / "churn", data)
        return prfpipe("gate", *(words or ("PRF-02", "--json")))

    return call


# ---- exit codes -----------------------------------------------------------------------------------------


def test_a_fast_subject_passes_with_0(gate: Gate) -> None:
    ended = gate()
    assert (ended.code, ended.document["exit_code"]) == (0, 0)
    assert ended.document["state"] == "pass"


def test_a_subject_made_slow_fails_with_1_after_a_hundred_samples(gate: Gate) -> None:
    ended = gate(work={"work": SLOW})
    assert (ended.code, ended.document["state"]) == (1, "fail")
    (check,) = ended.document["checks"]
    assert (check["samples"], check["over"]) == (100, 100)


def test_a_subject_with_spikes_fails_though_its_median_is_far_below(gate: Gate) -> None:
    ended = gate(work={"work": SPIKY})
    assert (ended.code, ended.document["state"]) == (1, "fail")
    assert ended.document["checks"][0]["first"]["p50_ns"] < 1_000_000


def test_bad_input_ends_with_2_before_anything_is_measured(gate: Gate) -> None:
    assert gate("PRF-02", spec={"version": 7}).code == 2
    assert gate("PRF-02", "--samples", "0").code == 2
    assert gate("PRF-02", "--seconds", "60").code == 2
    assert gate("PRF-02", "--", "program").code == 2
    assert gate("PRF-02", "--ready", "x").code == 2
    assert gate("PRF-02", "--against", "HEAD").code == 2
    assert gate("PRF-02", "--profile", "moon").code == 2
    assert gate("PRF-04").code == 2


def test_no_budget_for_the_profile_ends_with_2(gate: Gate) -> None:
    found = {"dev_local": {"work": 2.5}}
    entry = {"date": "2026-11-01", "reason": REASON, "set": found}
    ended = gate("PRF-02", "--profile", "enterprise", "--json", spec={"budgets": found, "changes": [entry]})
    assert ended.code == 2
    assert "no budgets for the profile enterprise" in ended.document["error"]["message"]


def test_too_few_samples_end_with_3_and_say_what_is_missing(gate: Gate) -> None:
    ended = gate("PRF-02", "--json", "--samples", "100")
    assert (ended.code, ended.document["state"]) == (3, "undecided")
    assert gate("PRF-02", "--json", "--samples", "7").document["checks"][0]["samples"] == 7


def test_a_missing_subject_ends_with_4(gate: Gate, tmp_path: Path) -> None:
    ended = gate(spec={"subject": {"python": "elsewhere.py"}})
    assert ended.code == 4
    assert "the subject of PRF-02 is missing" in ended.document["error"]["message"]
    assert not (tmp_path / "gate_reports").exists()


def test_a_requirement_that_is_not_installed_ends_with_4_and_the_command(gate: Gate) -> None:
    ended = gate("PRF-02", spec={"requires": ["no-such-engine==1.0"]})
    assert ended.code == 4
    assert "pip install no-such-engine==1.0" in ended.err


def test_a_subject_that_dies_ends_with_4(gate: Gate) -> None:
    ended = gate(work={"work": [-1]})
    assert (ended.code, ended.document["error"]["type"]) == (4, "SubjectCrashError")


# ---- never a pass by measuring nothing -------------------------------------------------------------------


def test_no_samples_end_with_4(gate: Gate) -> None:
    ended = gate(lose=5000)
    assert (ended.code, ended.document["error"]["type"]) == (4, "NothingMeasuredError")


def test_a_budget_whose_subject_is_not_measured_ends_with_4(gate: Gate) -> None:
    ended = gate(work={})
    assert ended.code == 4
    assert "not measured, but budgeted: work" in ended.document["error"]["message"]


def test_a_subject_without_a_budget_ends_with_4(gate: Gate) -> None:
    ended = gate(work={"work": FAST, "extra": FAST})
    assert ended.code == 4
    assert "neither budgeted nor out of scope: extra" in ended.document["error"]["message"]


def test_fewer_samples_than_asked_end_with_3(gate: Gate) -> None:
    ended = gate(lose=40)
    assert (ended.code, ended.document["checks"][0]["samples"]) == (3, 60)
    assert "only 60 samples were given" in ended.document["checks"][0]["message"]


class _Fixed(Sampled):
    def __init__(self, found: Mapping[str, Sequence[Any]]) -> None:
        self.found = found

    def take(self, count: int, subjects: Collection[str]) -> None:
        pass

    def samples(self) -> Mapping[str, Sequence[int]]:
        return self.found


class _NoPaths(Paired):
    def overheads(self) -> Mapping[str, Any]:
        return {}


class _Context:
    """What `judge` asks of a context."""

    class gate:  # noqa: N801
        class spec:  # noqa: N801
            id = "PRF-02"
            warn_at_percent = 80.0

    class progress:  # noqa: N801
        @staticmethod
        def say(text: str) -> None:
            pass

    options = GateOptions()

    def __init__(self, *subjects: str) -> None:
        self.budgets = {name: budget(name) for name in subjects}


@pytest.mark.parametrize("bad", [float("nan"), 0, -5, 1.5, None])
def test_a_measuring_that_gives_no_durations_is_refused(bad: object) -> None:
    with pytest.raises(NothingMeasuredError, match="no duration"):
        judge(_Context("work"), _Fixed({"work": [bad] * 400}))  # type: ignore[arg-type]


def test_a_measuring_without_hot_paths_is_refused() -> None:
    with pytest.raises(NothingMeasuredError, match="not measured, but budgeted: path"):
        judge(_Context("path"), _NoPaths())  # type: ignore[arg-type]


def test_decided_subjects_are_not_measured_again() -> None:
    asked: list[tuple[int, frozenset[str]]] = []

    class Recording(_Fixed):
        def take(self, count: int, subjects: Collection[str]) -> None:
            asked.append((count, frozenset(subjects)))
            for name in subjects:
                self.found[name].extend(milliseconds(*[500.0 if name == "bad" else 1.0] * count))  # type: ignore[attr-defined]

    checks = judge(_Context("bad", "good"), Recording({"bad": [], "good": []}))  # type: ignore[arg-type]
    assert [check.state for check in checks] == ["fail", "pass"]
    assert asked == [(100, frozenset({"bad", "good"})), (270, frozenset({"good"}))]


# ---- what is left behind ---------------------------------------------------------------------------------


def test_the_folder_holds_report_page_samples_profile_events_and_their_digests(gate: Gate) -> None:
    ended = gate(work={"work": SLOW})
    folder = Path(ended.document["folder"])
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "report.json", "report.html", "samples.jsonl.gz", "events.jsonl", "digests.json",
        "flame-work.svg", "flame-work.folded",
    }  # fmt: skip
    assert read_report(folder).state == "fail"
    assert ended.document["evidence"] == {"work": str(folder / "flame-work.svg")}
    lines = [json.loads(line) for line in gzip.decompress((folder / "samples.jsonl.gz").read_bytes()).splitlines()]
    assert [len(line["samples_ns"]) for line in lines if line["kind"] == "judged"] == [100]
    page = (folder / "report.html").read_text()
    assert "data:image/svg+xml" in page
    assert "<script" not in page
    assert 'href="flame-work.svg"' in page


def test_a_changed_file_of_a_folder_is_seen(gate: Gate) -> None:
    folder = Path(gate().document["folder"])
    with (folder / "report.html").open("a") as stream:
        stream.write("<!-- -->")
    with pytest.raises(TamperError, match="not what it was"):
        read_report(folder)


@pytest.mark.parametrize("stacks", ["", "cut", "lost"])
def test_a_profile_that_cannot_be_made_leaves_the_answer_as_it_is(gate: Gate, stacks: str) -> None:
    ended = gate(work={"work": SLOW}, stacks=stacks)
    assert (ended.code, ended.document["evidence"]) == (1, {})
    assert any("no flamegraph" in note for note in ended.document["notes"])


def test_a_run_that_fails_half_way_keeps_its_samples_and_is_no_run_of_the_history(gate: Gate, tmp_path: Path) -> None:
    ended = gate("PRF-02", work={"work": FAST, "extra": FAST})
    (folder,) = (tmp_path / "gate_reports" / "PRF-02").iterdir()
    assert [path.name for path in folder.iterdir()] == ["samples.jsonl.gz"]
    assert (ended.code, str(folder) in ended.err) == (4, True)
    assert "Last runs" not in Path(gate().document["report"]).read_text()


def test_a_full_disk_is_nothing_measured_and_keeps_the_samples(gate: Gate, tmp_path: Path) -> None:
    ended = gate("PRF-02", full=True)
    assert ended.code == 4
    assert "/tmp/prfpipe-gate-x/work: No space left on device" in ended.err
    assert "TMPDIR" in ended.err
    (folder,) = (tmp_path / "gate_reports" / "PRF-02").iterdir()
    assert str(folder / "samples.jsonl.gz").startswith(ended.err.partition("until then: ")[2].split()[0])


def test_samples_that_cannot_be_kept_do_not_hide_why_there_is_no_answer(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "gate_reports").write_text("a file where the folder of reports should be")
    ended = gate("PRF-02", full=True)
    assert ended.code == 4
    assert "No space left on device" in ended.err
    assert "could not be kept" in ended.err


def test_a_junit_file_that_cannot_be_written_is_told_before_anything_is_measured(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert gate("PRF-02", "--junit", str(tmp_path / "file" / "gates.xml")).code == 2
    assert gate("PRF-02", "--junit", str(tmp_path)).code == 2
    assert not (tmp_path / "gate_reports").exists()


def test_a_folder_that_takes_no_file_is_told_before_anything_is_measured(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(**where: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("prfpipe.cli.gate.TemporaryFile", read_only)
    ended = gate("PRF-02", "--junit", str(tmp_path / "gates.xml"))
    assert (ended.code, "Read-only file system" in ended.err) == (2, True)
    assert not (tmp_path / "gate_reports").exists()
    assert gate("PRF-02", "--junit", "/dev/null").code == 0


def test_a_summary_that_cannot_be_written_is_told_and_costs_no_answer(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    ended = gate("PRF-02", "--json", "--junit", str(tmp_path / "gates.xml"))
    assert (ended.code, ended.document["state"]) == (0, "pass")
    assert "GITHUB_STEP_SUMMARY" in ended.err
    assert JUnitXml.fromfile(str(tmp_path / "gates.xml")).tests == 1


def test_a_junit_file_that_is_lost_at_the_end_costs_no_answer(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prfpipe.cli.gate._place", lambda junit: tmp_path / "gone" / "gates.xml")
    ended = gate("PRF-02", "--json", "--junit", "gates.xml")
    assert ended.code == 4
    assert json.loads(ended.out)["state"] == "pass"


def test_events_say_which_subject_is_over_and_that_a_gate_passed(gate: Gate) -> None:
    passed, failed = gate(), gate(work={"work": SLOW})
    events = read_events(Path(passed.document["folder"], "events.jsonl").read_bytes())
    assert [event.code for event in events] == ["PRF-001"]
    (event,) = read_events(Path(failed.document["folder"], "events.jsonl").read_bytes())
    assert (event.code, event.level, event.figures["subject"]) == ("PRF-004", "error", "work")
    assert event.figures["budget_ms"] == 2.5


def test_a_second_run_shows_the_first_as_a_sparkline(gate: Gate) -> None:
    assert "Last runs" not in Path(gate().document["report"]).read_text()
    assert "Last runs" in Path(gate().document["report"]).read_text()


def test_the_table_for_people_names_figures_budget_and_report(gate: Gate) -> None:
    ended = gate("PRF-02", work={"work": SLOW})
    assert ended.code == 1
    assert "PRF-02 FAIL (dev_local): 1 over budget" in ended.out
    assert "2.5 ms" in ended.out
    assert "report.html" in ended.out
    assert "flamegraph: flame-work.svg" in ended.out


def test_an_override_in_force_is_told(gate: Gate) -> None:
    lent = {
        "profile": "dev_local", "subject": "work", "budget": 500.0, "until": "2999-01-01",
        "reason": "the slow runners are replaced in January",
    }  # fmt: skip
    ended = gate(work={"work": SLOW}, spec={"overrides": [lent]})
    assert (ended.code, ended.document["state"]) == (0, "warn")
    assert "replaced in January" in ended.document["checks"][0]["message"]
    assert read_events(Path(ended.document["folder"], "events.jsonl").read_bytes()) == ()


# ---- all, and check --------------------------------------------------------------------------------------


def test_all_runs_every_gate_and_ends_with_the_worst_answer(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = {"PRF-01": FAST, "PRF-03": SLOW, "PRF-04": [-1]}
    for identity, work in works.items():
        monkeypatch.setitem(MEASURES, identity, "tests.support.gates")
        spec = gate_yaml({"work": 2.5}, id=identity, params={"work": {"work": work}})
        write_gate(tmp_path / "gates" / identity.lower(), spec)
    ended = gate("all", "--json", "--junit", str(tmp_path / "out" / "gates.xml"))
    assert ended.code == ended.document["exit_code"] == 4
    states = {found["id"]: found["state"] for found in ended.document["gates"]}
    assert states.pop("PRF-01") == "pass"
    assert states.pop("PRF-02") == "pass"
    assert states == {"PRF-03": "fail", "PRF-04": "nothing-measured"}
    read = JUnitXml.fromfile(str(tmp_path / "out" / "gates.xml"))
    assert [suite.name[:6] for suite in read] == list(GATE_IDS)
    assert (read.tests, read.failures, read.errors, read.skipped) == (4, 1, 1, 0)
    write_gate(tmp_path / "gates" / "prf-04", gate_yaml({"work": 2.5}, id="PRF-04", params={"work": {"work": FAST}}))
    ended = gate("all")
    assert ended.code == 1
    assert ended.out.count("PRF-04 ") > 1


def test_a_run_that_is_stopped_leaves_the_answers_until_then_and_names_the_rest(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for identity in ("PRF-01", "PRF-03", "PRF-04"):
        monkeypatch.setitem(MEASURES, identity, "tests.support.gates")
        spec = gate_yaml({"work": 2.5}, id=identity, params={"work": {"work": FAST}})
        write_gate(tmp_path / "gates" / identity.lower(), spec)

    def stopping(found: Any, *rest: Any) -> Any:
        if found.spec.id == "PRF-02":
            raise KeyboardInterrupt
        return run_gate(found, *rest)

    monkeypatch.setattr("prfpipe.gates.several.run_gate", stopping)
    assert gate("all", "--junit", str(tmp_path / "gates.xml")).code == 130
    read = JUnitXml.fromfile(str(tmp_path / "gates.xml"))
    assert [(suite.name[:6], suite.errors) for suite in read] == [
        ("PRF-01", 0), ("PRF-02", 1), ("PRF-03", 1), ("PRF-04", 1),
    ]  # fmt: skip


def test_a_program_needs_nothing_that_the_gates_own_subject_needs(gate: Gate) -> None:
    needs = {"id": "PRF-01", "requires": ["no-such-engine==1.0"]}
    assert gate("PRF-01", spec=needs).code == 4
    assert "no-such-engine" not in gate("PRF-01", "--samples", "1", "--", "true", spec=needs).err


def test_all_with_a_gate_missing_measures_nothing(gate: Gate, tmp_path: Path) -> None:
    assert gate("all").code == 2
    assert not (tmp_path / "gate_reports").exists()


def test_a_reason_of_several_lines_makes_no_line_of_its_own(gate: Gate) -> None:
    """CI reads some lines of a job as commands."""
    reason = "Three honest words here\n::stop-commands::x"
    changes = gate_yaml(dict.fromkeys(["work"], 2.5))["changes"]
    ended = gate("check", spec={"changes": [{**changes[0], "reason": reason}, *changes[1:]]})
    assert "Three honest words" in ended.out
    assert not [line for line in ended.out.splitlines() if line.startswith("::")]


def test_check_measures_nothing_and_names_what_is_wrong(gate: Gate, tmp_path: Path) -> None:
    ended = gate("check")
    assert ended.code == 2
    assert "there is no valid PRF-01" in ended.out
    for identity in ("PRF-01", "PRF-03", "PRF-04"):
        write_gate(tmp_path / "gates" / identity.lower(), gate_yaml(id=identity))
    assert gate("check").code == 0
    assert gate("check", "--json").document["missing"] == []
    spoiled = {name: {"work": 9.9} for name in PROFILES}
    ended = gate("check", spec={"budgets": spoiled})
    assert ended.code == 2
    assert "budgets.dev_local.work: 9.9 here, 2.5 by the changes" in ended.out
    assert not (tmp_path / "gate_reports").exists()
