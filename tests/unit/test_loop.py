"""A run on disk: each stage once and in order, resumed only as what it was, and closed with the way to go on."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prfpipe import layout
from prfpipe.doctrine import Stage
from prfpipe.errors import (
    BundleError,
    HostBusyError,
    HostError,
    LeverError,
    PrfpipeError,
    ResumeError,
    SettingsError,
    SubjectHangError,
    TamperError,
)
from prfpipe.lever import Lever, load_lever
from prfpipe.loop import LOOP, Options, Run, open_run, stages
from prfpipe.loop.context import RunContext
from prfpipe.loop.evaluation import require_plan_of
from prfpipe.models import Effort
from prfpipe.progress import Silent
from prfpipe.settings import Settings
from prfpipe.subject.variants import source_files
from tests.support.levers import write_lever

Perform = Callable[[RunContext], None]
OPTIONS = Options(Effort.QUICK, ("prfpipe", "evaluate", "lever"), accept_noise=True, seed=5)


@pytest.fixture
def lever(tmp_path: Path) -> Lever:
    return load_lever(write_lever(tmp_path / "lever"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=str(tmp_path / "store"), runs=tmp_path / "runs", lock=tmp_path / "lock")


@pytest.fixture
def performed(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """Stages that only write a note; the list says which have been performed."""
    done: list[Stage] = []

    def noting(stage: Stage) -> Perform:
        def perform(context: RunContext) -> None:
            done.append(stage)
            context.folder.write(f"notes/{stage}.txt", str(stage).encode())

        return perform

    for stage in LOOP:
        monkeypatch.setitem(LOOP, stage, noting(stage))
    return done


def started(lever: Lever, settings: Settings) -> Run:
    return Run.start(lever, OPTIONS, settings, Silent())


def resumed(lever: Lever, settings: Settings, run_id: str) -> Run:
    return Run.resume(lever, run_id, settings, Silent())


def steps(run: Run) -> Iterator[tuple[str, str]]:
    for line in (run.context.folder.path / layout.RUNLOG).read_bytes().splitlines():
        step = json.loads(line)
        yield step["stage"], step["status"]


def failing(error: BaseException) -> Perform:
    def perform(context: RunContext) -> None:
        context.folder.write("notes/half.txt", b"half done")
        raise error

    return perform


# ---- each stage once, in order -------------------------------------------------------------------------


def test_the_loop_has_every_stage_of_the_doctrine_between_plan_and_archive() -> None:
    assert [Stage.PLAN, *LOOP, Stage.ARCHIVE] == list(Stage)


def test_the_plan_is_on_the_disk_before_any_stage_is_performed(
    lever: Lever, settings: Settings, performed: list[Stage]
) -> None:
    with started(lever, settings) as run:
        plan = layout.read_plan({layout.PLAN: run.context.folder.read(layout.PLAN)})
        assert (plan, performed) == (run.context.plan, [])
        assert (plan.seed, plan.provenance.command) == (5, OPTIONS.command)
        assert list(steps(run)) == [("plan", "started"), ("plan", "finished")]


def test_every_stage_is_performed_once_in_order(lever: Lever, settings: Settings, performed: list[Stage]) -> None:
    with started(lever, settings) as run:
        run.perform_all()
        run.perform_all()
    assert performed == list(LOOP)


def test_a_resumed_run_performs_only_what_is_left(lever: Lever, settings: Settings, performed: list[Stage]) -> None:
    with started(lever, settings) as run:
        run.perform(Stage.BASELINE)
        run.perform(Stage.PROFILE)
    with resumed(lever, settings, run.run_id) as again:
        assert again.finished(Stage.PROFILE)
        again.perform_all()
    assert performed == list(LOOP)


def test_a_failed_stage_is_noted_and_begun_again_without_what_it_left(
    lever: Lever, settings: Settings, performed: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(LOOP, Stage.BASELINE, failing(SubjectHangError("no answer", hint="wait")))
        with pytest.raises(SubjectHangError), started(lever, settings) as run:
            run.perform_all()
    assert list(steps(run))[-1] == ("baseline", "failed")
    with resumed(lever, settings, run.run_id) as again:
        assert not again.context.folder.has("notes/half.txt")
        again.perform_all()
    assert performed == list(LOOP)


def test_each_stage_draws_its_operations_from_a_seed_of_its_own(lever: Lever, settings: Settings) -> None:
    with started(lever, settings) as run:
        assert len({run.context.seed(stage) for stage in Stage}) == len(Stage)


def test_the_paths_of_both_trees_are_equally_long(lever: Lever, settings: Settings) -> None:
    with started(lever, settings) as run:
        assert len(str(run.context.baseline_tree)) == len(str(run.context.candidate_tree))


def test_a_change_of_the_lever_folder_does_not_reach_a_run_that_has_begun(lever: Lever, settings: Settings) -> None:
    with started(lever, settings) as run:
        (lever.root / "candidate.py").write_text("changed = True\n")
        assert "changed" not in (run.context.baseline_tree / "candidate.py").read_text()


# ---- resuming ------------------------------------------------------------------------------------------


def _other_lever(lever: Lever, _: Path) -> Lever:
    return load_lever(write_lever(lever.root.parent / "other", id="LEV-OTHER"))


def _changed_folder(lever: Lever, run: Path) -> Lever:
    (lever.root / "workload.py").write_text("changed = True\n")
    (run.with_name(run.name + ".work") / "tree-a" / "workload.py").unlink()
    return lever


def _changed_note(lever: Lever, run: Path) -> Lever:
    (run / "notes" / "baseline.txt").write_text("another")
    return lever


def _lost_note(lever: Lever, run: Path) -> Lever:
    (run / "notes" / "baseline.txt").unlink()
    return lever


def _torn_plan(lever: Lever, run: Path) -> Lever:
    (run / layout.PLAN).write_bytes(b'{"kind"')
    return lever


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (_other_lever, ResumeError, "is a run of LEV-TEST"),
        (_changed_folder, ResumeError, "has changed since the plan was made"),
        (_changed_note, TamperError, "notes/baseline.txt is missing, or is not what its stage left"),
        (_lost_note, TamperError, "notes/baseline.txt is missing, or is not what its stage left"),
        (_torn_plan, BundleError, "plan.json"),
    ],
)
def test_a_run_is_resumed_only_as_what_it_was(
    lever: Lever,
    settings: Settings,
    performed: list[Stage],
    change: Callable[[Lever, Path], Lever],
    kind: type[PrfpipeError],
    said: str,
) -> None:
    with started(lever, settings) as run:
        run.perform(Stage.BASELINE)
    changed = change(lever, run.context.folder.path)
    with pytest.raises(kind, match=said):
        resumed(changed, settings, run.run_id)
    assert performed == [Stage.BASELINE]


@pytest.mark.parametrize(("field", "value"), [("landlock", 0), ("kernel", "9.9"), ("python", "CPython 3.99.0")])
def test_a_run_is_resumed_only_on_the_machine_that_its_plan_names(
    lever: Lever,
    settings: Settings,
    performed: list[Stage],
    monkeypatch: pytest.MonkeyPatch,
    field: str,
    value: object,
) -> None:
    with started(lever, settings) as run:
        run.perform(Stage.BASELINE)
    there = run.context.plan.host.model_copy(update={field: value})
    monkeypatch.setattr("prfpipe.host.fingerprint", lambda work: there)
    with pytest.raises(ResumeError, match=f"was planned where {field} is .*; here it is {value}"):
        resumed(lever, settings, run.run_id)


def test_a_run_is_resumed_only_with_the_tools_that_its_plan_names(
    lever: Lever, settings: Settings, performed: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(lever, settings) as run:
        run.perform(Stage.BASELINE)
    newer = {**run.context.plan.provenance.tools, "memray": "99.0"}
    monkeypatch.setattr("prfpipe.loop.run.tools", lambda: newer)
    with pytest.raises(ResumeError, match=r"was planned with memray .*; installed is 99\.0"):
        resumed(lever, settings, run.run_id)


def test_a_run_is_not_resumed_without_what_its_lever_requires(
    lever: Lever, settings: Settings, performed: list[Stage]
) -> None:
    with started(lever, settings) as run:
        run.perform(Stage.BASELINE)
    needs = replace(lever, spec=lever.spec.model_copy(update={"requires": ("no-such-engine==1.0",)}))
    with pytest.raises(LeverError, match="no-such-engine"):
        resumed(needs, settings, run.run_id)


@pytest.mark.parametrize("harm", ["lost", "changed"])
def test_both_trees_are_there_again_when_a_run_goes_on_without_its_scratch_folder(
    lever: Lever, settings: Settings, performed: list[Stage], harm: str
) -> None:
    with started(lever, settings) as run:
        for stage in (Stage.BASELINE, Stage.PROFILE, Stage.PROVE, Stage.IMPLEMENT):
            run.perform(stage)
        shutil.rmtree(run.context.scratch)
        if harm == "changed":
            run.context.candidate_tree.mkdir(parents=True)
            (run.context.candidate_tree / "candidate.py").write_text("another = 1\n")
    with resumed(lever, settings, run.run_id) as again:
        trees = (again.context.baseline_tree, again.context.candidate_tree)
        assert [source_files(tree) for tree in trees] == [again.context.plan.source_files] * 2


def test_what_is_left_to_decide_needs_no_lever_folder_any_more(
    lever: Lever, settings: Settings, performed: list[Stage]
) -> None:
    with started(lever, settings) as run:
        for stage in list(LOOP)[:-1]:
            run.perform(stage)
        run.clean()
    (lever.root / "candidate.py").write_text("another = 1\n")
    with resumed(lever, settings, run.run_id) as again:
        again.perform_all()
    assert performed == list(LOOP)


@pytest.mark.parametrize("run_id", ["nothing", "", ".", "..", "../lever", "/etc", "x" * 300])
def test_what_is_not_a_run_cannot_be_resumed(lever: Lever, settings: Settings, run_id: str) -> None:
    (settings.runs / "empty").mkdir(parents=True)
    require_plan_of(run_id, Effort.QUICK, None, settings)
    with pytest.raises(ResumeError, match="no run"):
        resumed(lever, settings, run_id)
    assert (settings.runs / "empty").is_dir()


def test_a_refused_resume_leaves_the_host_free(lever: Lever, settings: Settings, performed: list[Stage]) -> None:
    with started(lever, settings) as run:
        run.perform(Stage.BASELINE)
    _lost_note(lever, run.context.folder.path)
    with pytest.raises(TamperError):
        resumed(lever, settings, run.run_id)
    with started(lever, settings) as another:
        assert another.run_id != run.run_id


# ---- what is measured is what was planned ---------------------------------------------------------------


def test_a_tree_that_something_was_left_in_is_not_made_the_candidates(lever: Lever, settings: Settings) -> None:
    with started(lever, settings) as run:
        (run.context.baseline_tree / "cache.json").write_text("{}")
        with pytest.raises(LeverError, match=r"changed while it ran: cache\.json"):
            run.perform(Stage.IMPLEMENT)
        assert not run.finished(Stage.IMPLEMENT)


def test_a_tree_that_changes_while_it_is_measured_gives_no_result(
    lever: Lever, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measuring(context: RunContext) -> None:
        shutil.copytree(context.baseline_tree, context.candidate_tree)
        (context.candidate_tree / "candidate.py").write_text("another = 1\n")

    monkeypatch.setattr(stages, "measure_both", measuring)
    with started(lever, settings) as run:
        with pytest.raises(LeverError, match=r"changed while it ran: candidate\.py"):
            run.perform(Stage.REPROFILE)
        assert not run.finished(Stage.REPROFILE)


# ---- refusals before anything is measured --------------------------------------------------------------


def test_two_runs_cannot_measure_on_a_host_at_once(lever: Lever, settings: Settings) -> None:
    with started(lever, settings) as run:
        with pytest.raises(HostBusyError, match="is measuring on this host"):
            started(lever, settings)
        with pytest.raises(HostBusyError):
            resumed(lever, settings, run.run_id)


def test_a_noisy_host_is_refused_unless_that_is_accepted(lever: Lever, settings: Settings) -> None:
    strict = settings.model_copy(update={"noise_limit_percent": 1e-9})
    with pytest.raises(HostError, match="too noisy"):
        Run.start(lever, Options(Effort.QUICK, ("prfpipe",)), strict, Silent())
    assert not settings.runs.exists()
    with Run.start(lever, OPTIONS, strict, Silent()) as run:
        assert run.context.plan.noise.accepted


def test_a_missing_engine_is_named_before_a_run_begins(tmp_path: Path, settings: Settings) -> None:
    lever = load_lever(write_lever(tmp_path / "needy", requires=["not-installed-anywhere"]))
    with pytest.raises(LeverError, match="not-installed-anywhere"):
        started(lever, settings)
    assert not settings.runs.exists()


def test_a_store_that_cannot_be_is_refused_before_a_run_begins(lever: Lever, settings: Settings) -> None:
    with pytest.raises(SettingsError):
        open_run(lever, OPTIONS, settings.model_copy(update={"store": "gopher://x"}), Silent())
    assert not settings.runs.exists()


# ---- how a run is left ---------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [SubjectHangError("no answer", hint="wait"), KeyboardInterrupt()])
def test_what_ends_a_run_carries_the_command_that_goes_on(
    lever: Lever, settings: Settings, performed: list[Stage], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setitem(LOOP, Stage.PROVE, failing(error))
    with pytest.raises(type(error)) as caught, started(lever, settings) as run:
        run.perform_all()
    assert performed == [Stage.BASELINE, Stage.PROFILE]
    [note] = caught.value.__notes__
    assert note == f"to go on with this run: prfpipe evaluate {lever.root} --resume {run.run_id}"


def test_a_lever_that_has_to_change_is_not_sent_back_to_its_old_plan(
    lever: Lever, settings: Settings, performed: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOOP, Stage.IMPLEMENT, failing(LeverError("outside its path", hint="leave it out")))
    with pytest.raises(LeverError) as caught, started(lever, settings) as run:
        run.perform_all()
    assert performed[-1] is Stage.PROVE
    assert not hasattr(caught.value, "__notes__")


def test_a_stage_that_is_broken_by_a_fault_of_ours_does_not_count_as_finished(
    lever: Lever, settings: Settings, performed: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOOP, Stage.PROFILE, failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError), started(lever, settings) as run:
        run.perform_all()
    assert list(steps(run))[-1] == ("profile", "started")
    assert performed == [Stage.BASELINE]


def test_cleaning_removes_the_scratch_folder_and_keeps_the_evidence(
    lever: Lever, settings: Settings, performed: list[Stage]
) -> None:
    with started(lever, settings) as run:
        run.perform_all()
        run.clean()
    assert [path.name for path in settings.runs.iterdir()] == [run.run_id]
    assert len(performed) == len(list((settings.runs / run.run_id / "notes").iterdir()))


def test_options_do_not_reach_the_plan_with_secrets(lever: Lever, settings: Settings) -> None:
    told: tuple[Any, ...] = ("prfpipe", "evaluate", "--store", "s3://b?endpoint=http://me:hunter2@host&token=hunter2")
    with Run.start(lever, Options(Effort.QUICK, told, accept_noise=True), settings, Silent()) as run:
        assert b"hunter2" not in run.context.folder.read(layout.PLAN)
