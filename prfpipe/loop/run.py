"""A run on disk: start it, perform each stage once, resume it after a crash."""

import shlex
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from prfpipe import host, layout
from prfpipe.attest.keys import Keys
from prfpipe.attest.plan_seal import read_plan_seal, sealed_plan_files
from prfpipe.bundle import RunFolder
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, InputError, PrfpipeError, ResumeError
from prfpipe.lever import Lever, check_requirements
from prfpipe.loop import closing, stages
from prfpipe.loop.context import RunContext
from prfpipe.loop.log import Log
from prfpipe.loop.summary import stage_summary
from prfpipe.models import Effort, Plan, Verdict, Work
from prfpipe.plan import make_plan, tools
from prfpipe.progress import Progress
from prfpipe.runlog import RunLog
from prfpipe.settings import Settings
from prfpipe.subject.variants import copy_tree, source_files, tree_digest

_MACHINE = ("name", "cpu_model", "cpus", "kernel", "python", "landlock")
"""What of a host's record has to be the same for a run to go on."""
_TOOLS = ("prfpipe", "py-spy", "memray", "coverage")
"""Of which tools the versions have to be the same as well."""
Perform = Callable[[RunContext], None]

LOOP: dict[Stage, Perform] = {
    Stage.BASELINE: stages.baseline,
    Stage.PROFILE: stages.profile,
    Stage.PROVE: stages.prove_candidate,
    Stage.IMPLEMENT: stages.implement,
    Stage.VERIFY: stages.verify,
    Stage.REPROFILE: stages.reprofile,
    Stage.DECIDE: closing.decide,
}
"""What runs between plan and archive, in order."""


@dataclass(frozen=True)
class Options:
    """How a run was asked for. `command` is the command line that reproduces it."""

    effort: Effort
    command: tuple[str, ...]
    accept_noise: bool = False
    seed: int | None = None


class Run:
    """An open run; a context manager that holds the host and the run's folder, so that nobody else works on them."""

    def __init__(self, context: RunContext, log: Log, held: ExitStack) -> None:
        """Use `start` or `resume`. `held` is left when the run is closed: the host's lock, the folder's."""
        self.context, self._log, self._held = context, log, held
        self._summaries = dict[Stage, str]()
        self._runlog = RunLog(context.folder, context.plan.run_id)
        held.callback(self._runlog.close)
        held.callback(log.close)
        if self.finished(Stage.DECIDE):
            log.close()
        else:
            log.open(context.folder)

    @classmethod
    def start(cls, lever: Lever, options: Options, settings: Settings, progress: Progress) -> Self:
        """Freeze the plan of a new run, before anything is measured.

        Raises:
            LeverError: something that the lever requires is not installed.
            HostError: the machine is too noisy, or somebody else measures on it.
            SigningKeyError: there is no key that can sign the plan.
        """
        check_requirements(lever)
        key = Keys(settings.key_folder).signing_key()
        with ExitStack() as held:
            held.enter_context(host.exclusive(settings.lock))
            log = Log(progress)
            log.say("plan: probing this machine's noise")
            plan = _plan(lever, options, settings)
            log.say(f"plan: signing it with key {key.keyid[:12]} (`prfpipe keys show`)")
            folder = held.enter_context(RunFolder.create(settings.runs.resolve(), plan.run_id))
            run = cls(RunContext(lever, plan, folder, scratch_of(folder.path, plan), settings, log), log, held)
            run._record(Stage.PLAN, lambda context: context.folder.write_all(sealed_plan_files(context.plan, key)))
            run._freeze_source()
            run._held = held.pop_all()
        return run

    @classmethod
    def resume(cls, lever: Lever, run_id: str, settings: Settings, progress: Progress) -> Self:
        """Open a run again; of a sealed one, only archiving is left.

        Raises:
            ResumeError: there is no such run, it is of another lever, machine or tool, or the folder has changed since.
            LeverError: something that the lever requires is no longer installed.
            TamperError: a file of a finished stage is not what it was.
            HostError: somebody else measures on this machine.
            SigningKeyError: the key that signed the plan is not there, and the statement must be signed by the same.
        """
        path = settings.runs.resolve() / run_id
        # Opening a run folder tidies it: `..` must not get that far.
        if "/" in run_id or not layout.is_name(run_id) or not path.is_dir():
            raise ResumeError(f"no run {run_id!r} in {settings.runs}", hint="`--resume` takes the id of a run there.")
        with ExitStack() as held:
            held.enter_context(host.exclusive(settings.lock))
            folder = held.enter_context(RunFolder(path))
            plan = _plan_of(folder, lever)
            log = Log(progress)
            run = cls(RunContext(lever, plan, folder, scratch_of(path, plan), settings, log), log, held)
            if not run.finished(Stage.PLAN):
                # Its journal has just taken the plan back: a plan that no step claims was never frozen.
                raise _no_plan(run_id)
            last = run._runlog.finished_stages()[-1]
            run._check_seal()
            log.note(f"resumed after stage {last}")
            if not run.finished(Stage.REPROFILE):
                run._require_same_machine()
                run._require_same_tools()
                check_requirements(lever)
                run._freeze_source()
            run._held = held.pop_all()
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()
        if isinstance(error, PrfpipeError | KeyboardInterrupt) and not isinstance(error, InputError):
            folder = shlex.quote(str(self.context.lever.root))
            error.add_note(f"to go on with this run: prfpipe evaluate {folder} --resume {self.run_id}")

    @property
    def run_id(self) -> str:
        """The run's id, which is also the name of its folder."""
        return self.context.plan.run_id

    def finished(self, stage: Stage) -> bool:
        """Whether a stage need not run again."""
        return any(step.stage == stage and step.status == "finished" for step in self._runlog.steps)

    def perform(self, stage: Stage) -> None:
        """Run a stage of `LOOP`, unless it is finished already.

        Raises:
            PrfpipeError: it failed; the journal says so, and what was recorded is kept.
        """
        if not self.finished(stage):
            self._record(stage, LOOP[stage])

    def perform_all(self) -> None:
        """Run what is left of the loop, in order."""
        for stage in LOOP:
            self.perform(stage)

    def archive(self, store_url: str) -> str:
        """Seal the bundle and put it into the store; returns its URL there. Doing it again completes it."""
        return closing.archive(self.context, self._runlog, store_url)

    def summary(self, stage: Stage) -> str:
        """What a finished stage found, in one line. Raises `BundleError` if it has left no record to read."""
        if stage not in self._summaries:
            self._summaries[stage] = stage_summary(self.context, stage)
        return self._summaries[stage]

    @property
    def verdict(self) -> Verdict:
        """The verdict, once stage decide is finished."""
        return closing.verdict_of(self.context)

    def clean(self) -> None:
        """Remove what is not evidence."""
        shutil.rmtree(self.context.scratch, ignore_errors=True)

    def _record(self, stage: Stage, perform: Perform) -> None:
        self._runlog.started(stage)
        try:
            perform(self.context)
            self._tell(stage)
        except PrfpipeError as error:
            self._runlog.failed(stage, error.message)
            with suppress(BundleError):
                self._log.note(f"{stage}: failed: {error.message}")
            raise
        self._runlog.finished(stage)

    def _tell(self, stage: Stage) -> None:
        try:
            found = self.summary(stage)
        except BundleError as error:
            found = f"no summary: {error.message}"
        self._log.note(f"{stage}: {found}")
        if stage is Stage.DECIDE:
            self._log.leave_in(self.context.folder)

    def _check_seal(self) -> None:
        """Without the key of the plan nothing that is measured now could be sealed."""
        folder = self.context.folder
        if not folder.sealed:
            Keys(self.context.settings.key_folder).signing_key(read_plan_seal(folder.read(layout.PLAN_SEAL)).keyid)

    def _require_same_machine(self) -> None:
        """What is still to be measured will be told of as measured on the machine that the plan names."""
        planned = self.context.plan.host
        here = host.fingerprint(planned.work)
        for field in _MACHINE:
            was, now = getattr(planned, field), getattr(here, field)
            if was != now:
                raise ResumeError(
                    f"{self.run_id} was planned where {field} is {was}; here it is {now}",
                    hint="Resume it as it was begun, or start a new run.",
                )

    def _require_same_tools(self) -> None:
        planned, here = self.context.plan.provenance.tools, tools()
        for name in _TOOLS:
            if planned.get(name, here[name]) != here[name]:
                raise ResumeError(
                    f"{self.run_id} was planned with {name} {planned[name]}; installed is {here[name]}",
                    hint="Install what it was planned with, or start a new run.",
                )

    def _freeze_source(self) -> None:
        """The frozen copies of the lever folder; made again after a crash only from an unchanged folder."""
        self._freeze(self.context.baseline_tree)
        if self.finished(Stage.IMPLEMENT):
            self._freeze(self.context.candidate_tree)

    def _freeze(self, tree: Path) -> None:
        plan = self.context.plan
        if tree.is_dir() and tree_digest(tree) == plan.source_digest:
            return
        shutil.rmtree(tree, ignore_errors=True)
        copy_tree(self.context.lever.root, tree)
        if tree_digest(tree) != plan.source_digest:
            raise ResumeError(
                f"{self.context.lever.root} has changed since the plan was made",
                hint="Start a new run: a plan holds for one state of the lever folder.",
            )


def _plan(lever: Lever, options: Options, settings: Settings) -> Plan:
    noise = host.probe_noise(limit_percent=settings.noise_limit_percent, accept=options.accept_noise)
    return make_plan(
        lever.spec,
        options.effort,
        source_files=source_files(lever.root),
        host=host.fingerprint(_work(lever)),
        noise=noise,
        command=options.command,
        folder=lever.root,
        seed=options.seed,
    )


def _plan_of(folder: RunFolder, lever: Lever) -> Plan:
    run_id = folder.path.name
    if not folder.has(layout.PLAN):
        raise _no_plan(run_id)
    plan = layout.read_plan({layout.PLAN: folder.read(layout.PLAN)})
    if plan.lever.id != lever.spec.id:
        raise ResumeError(f"{run_id} is a run of {plan.lever.id}", hint=f"Resume it as {plan.lever.id}.")
    return plan


def _no_plan(run_id: str) -> ResumeError:
    return ResumeError(f"{run_id} ended before it had a plan", hint="Start a new run: nothing is lost.")


def _work(lever: Lever) -> Work:
    return "memory" if lever.spec.work == "memory" and host.has_memory_folder() else "disk"


def scratch_of(run_folder: Path, plan: Plan) -> Path:
    """The folder of what is not evidence: in memory where the plan says so, else beside the run's."""
    parent = host.memory_folder() if plan.host.work == "memory" else run_folder.parent
    return parent / f"{run_folder.name}.work"
