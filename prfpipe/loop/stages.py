"""What each stage between plan and decide does: it works, and writes its records into the run folder."""

import shutil
from pathlib import Path
from typing import Literal

from prfpipe import figures, layout
from prfpipe import implement as implementing
from prfpipe.artifacts.art01 import baseline_report
from prfpipe.doctrine import Stage
from prfpipe.errors import LeverError
from prfpipe.loop.context import RunContext
from prfpipe.loop.measuring import measure_baseline, measure_both
from prfpipe.models import Effort, ProfileRecord
from prfpipe.plan import planned_scenarios
from prfpipe.profilers.session import Job, explain_difference, profile_variant
from prfpipe.prove import prove
from prfpipe.subject.variants import source_files
from prfpipe.verdict import scenario_results

_PROOF_SECONDS = {Effort.QUICK: 25.0, Effort.STANDARD: 45.0, Effort.RIGOROUS: 120.0}
_VERIFY_SHARE = 0.5
_PROFILE_SECONDS = {Effort.QUICK: 6.0, Effort.STANDARD: 10.0, Effort.RIGOROUS: 20.0}


def baseline(context: RunContext) -> None:
    """Measure the baseline and its A/A control: ART-01."""
    samples = measure_baseline(context)
    results = figures.baseline_results(context.plan, samples)
    context.folder.write_all(baseline_report(context.plan, results, samples))


def profile(context: RunContext) -> None:
    """Profile the baseline: half of ART-02."""
    _profile(context, "baseline", context.baseline_tree)


def prove_candidate(context: RunContext) -> None:
    """Prove the candidate on the frozen lever folder: most of ART-04."""
    seconds = _PROOF_SECONDS[context.plan.effort]
    _prove(context, "prove", context.baseline_tree, seconds, with_coverage=True)


def implement(context: RunContext) -> None:
    """Make the tree that will be measured; one lever a cycle."""
    context.progress.say("implement: making the candidate tree")
    shutil.rmtree(context.candidate_tree, ignore_errors=True)
    source, scratch = context.baseline_tree, context.work(Stage.IMPLEMENT)
    _require_unchanged(context, source)
    loaded = implementing.loaded_files(
        context.spec, source, scratch, seed=context.seed(Stage.IMPLEMENT), timeout=context.timeout
    )
    tree = implementing.make_tree(context.spec, source, context.candidate_tree, loaded)
    change = implementing.diff(context.spec, context.candidate_tree, tree.changed_files)
    context.folder.write_all(layout.tree_files(tree, change.encode()))


def verify(context: RunContext) -> None:
    """Conformance and lockstep again, on the tree that will be measured."""
    seconds = _PROOF_SECONDS[context.plan.effort] * _VERIFY_SHARE
    _prove(context, "verify", context.candidate_tree, seconds, with_coverage=False)


def reprofile(context: RunContext) -> None:
    """Measure both variants, profile the candidate, explain the difference: the rest of ART-02, ART-03's samples."""
    samples = measure_both(context)
    _require_unchanged(context, context.baseline_tree, context.candidate_tree)
    _profile(context, "candidate", context.candidate_tree)
    primary = next(result for result in scenario_results(context.plan, samples) if result.primary)
    _explain(context, time_ratio=1 / primary.speedup.estimate)


def _require_unchanged(context: RunContext, *trees: Path) -> None:
    """What is measured is what was planned and proven: nothing that runs may change it or leave something in it.

    Raises:
        LeverError: it names the files that were changed, added or removed.
    """
    planned = context.plan.source_files.items()
    if changed := sorted({name for tree in trees for name, _ in source_files(tree).items() ^ planned}):
        raise LeverError(
            f"{context.spec.id}: files in the lever's own folder changed while it ran: {', '.join(changed[:3])}",
            hint="A variant and its workload may write into their working folders only.",
        )


def _prove(
    context: RunContext, stage: Literal["prove", "verify"], tree: Path, seconds: float, *, with_coverage: bool
) -> None:
    record = prove(
        context.spec.model_copy(update={"scenarios": planned_scenarios(context.plan)}),
        tree,
        context.work(Stage(stage)),
        stage=stage,
        seed=context.seed(Stage(stage)),
        timeout=context.timeout,
        budget_seconds=seconds,
        with_coverage=with_coverage,
        progress=lambda text: context.progress.say(f"{stage}: {text}"),
    )
    context.folder.write_all(layout.proof_files(record))


def _profile(context: RunContext, variant: Literal["baseline", "candidate"], tree: Path) -> None:
    out = _profile_output(context, variant)
    shutil.rmtree(out, ignore_errors=True)
    job = Job(
        spec=context.spec,
        variant=variant,
        tree=tree,
        scratch=context.work(Stage.PROFILE) / variant,
        out=out,
        seed=context.seed(Stage.PROFILE),
        seconds=_PROFILE_SECONDS[context.plan.effort],
        timeout=context.timeout,
    )
    with context.off_the_bench():
        record: ProfileRecord = profile_variant(job, context.progress)
    for path in sorted(out.iterdir()) if out.is_dir() else ():
        context.folder.write(layout.profile_file(variant, path.name), path.read_bytes())
    context.folder.write_all(layout.profile_files(record))


def _explain(context: RunContext, *, time_ratio: float) -> None:
    out = _profile_output(context, "difference")
    folders = (_profile_output(context, "baseline"), _profile_output(context, "candidate"))
    _restore(context, folders[0])
    difference = explain_difference(context.spec, *folders, out, time_ratio=time_ratio)
    if difference is None:
        return
    for name in (layout.DIFFERENCE_FOLDED, layout.DIFFERENCE_SVG):
        context.folder.write(name, (out / Path(name).name).read_bytes())
    context.folder.write_all(layout.difference_files(difference))


def _restore(context: RunContext, folder: Path) -> None:
    """After a resume the baseline's profile may be in the bundle only."""
    name = layout.profile_file("baseline", "cpu.folded")
    if not (folder / "cpu.folded").is_file() and context.folder.has(name):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.folded").write_bytes(context.folder.read(name))


def _profile_output(context: RunContext, name: str) -> Path:
    return context.work(Stage.PROFILE) / "out" / name
