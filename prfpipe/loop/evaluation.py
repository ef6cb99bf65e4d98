"""One evaluation from start to archived bundle, without Prefect; flows/evaluate.py does the same with tasks."""

import time
from dataclasses import dataclass
from pathlib import Path

from prfpipe import layout
from prfpipe.artifacts.derive import sentence
from prfpipe.errors import PrfpipeError, ResumeError
from prfpipe.lever import Lever
from prfpipe.loop.run import Options, Run
from prfpipe.models import Effort, Plan, Verdict
from prfpipe.progress import Progress
from prfpipe.settings import Settings
from prfpipe.store import open_store


@dataclass(frozen=True)
class Outcome:
    """What an evaluation ends with: `bundle` is its URL in the store, `report` a file on this machine."""

    plan: Plan
    verdict: Verdict
    bundle: str
    report: Path
    wall_seconds: float


def open_run(lever: Lever, options: Options, settings: Settings, progress: Progress, resume: str | None = None) -> Run:
    """A new run, or the one to resume. A store that cannot be is refused now, not after minutes of measuring."""
    open_store(settings.store)
    if resume is None:
        return Run.start(lever, options, settings, progress)
    return Run.resume(lever, resume, settings, progress)


def require_plan_of(resume: str | None, effort: Effort | None, seed: int | None, settings: Settings) -> None:
    """Refuse to resume a run at another effort or seed: what was measured by one plan is not given out as another's.

    Raises:
        ResumeError: its plan has another effort or seed than these; None is any.
    """
    if resume is None or not layout.is_name(resume):
        return  # What is no run, `Run.resume` says.
    path = settings.runs / resume / layout.PLAN
    if not path.is_file():
        return
    plan = layout.read_plan({layout.PLAN: path.read_bytes()})
    if effort not in {None, plan.effort} or seed not in {None, plan.seed}:
        raise ResumeError(
            f"{resume} was planned with {plan.effort} effort and seed {plan.seed}",
            hint=f"Resume it with {plan.effort} effort and without a seed, or start a new run.",
        )


def evaluate(
    lever: Lever, options: Options, settings: Settings, progress: Progress, resume: str | None = None
) -> Outcome:
    """Put a lever through the whole loop and archive the bundle.

    Raises:
        PrfpipeError: a stage failed; what was recorded is kept, and `resume` goes on from there.
    """
    start = time.monotonic()
    with open_run(lever, options, settings, progress, resume) as run:
        run.perform_all()
        return close(run, settings, start)


def close(run: Run, settings: Settings, start: float) -> Outcome:
    """Archive a run whose stages are done. `start`: monotonic seconds at which the evaluation began.

    Raises:
        PrfpipeError: it is not archived; the error carries the verdict, which stands, and where its report is.
    """
    verdict, report = run.verdict, run.context.folder.path / layout.REPORT
    try:
        bundle = run.archive(settings.store)
    except PrfpipeError as error:
        error.add_note(f"not archived yet, but decided: {sentence(verdict)}")
        error.add_note(f"report  {report}")
        raise
    run.clean()
    return Outcome(run.context.plan, verdict, bundle, report, time.monotonic() - start)
