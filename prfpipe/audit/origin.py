"""Plan, rule and journal: what was decided on beforehand, and in which order everything was made."""

from datetime import datetime

from prfpipe import layout
from prfpipe.attest import SealFacts, predicate_for
from prfpipe.audit.bundle import Bundle, refuse, some
from prfpipe.audit.samples import CLOCK_STEP, MEASURING
from prfpipe.digests import sha256_tree
from prfpipe.doctrine import Stage
from prfpipe.runlog import claims


def plan(bundle: Bundle) -> str:
    """Source files, lever and rule of the plan belong together."""
    plan = bundle.plan
    if sha256_tree(plan.source_files) != plan.source_digest:
        raise refuse("its source digest is not that of its source files")
    if plan.run_id.split("-", 1)[1].rpartition("-")[0] != plan.lever.id.lower():
        raise refuse(f"run {plan.run_id} is not one of {plan.lever.id}")
    rule, lever = plan.rule, plan.lever
    if (rule.min_gain_percent, rule.expected_speedup, rule.guards) != (
        lever.min_gain_percent,
        lever.expected_speedup,
        lever.guards,
    ) or (rule.must_hold, rule.non_inferiority_percent) != (lever.strata, lever.non_inferiority_percent):
        raise refuse("its decision rule has other thresholds than its lever")
    return f"{plan.lever.id} at {plan.effort} effort, source {plan.source_digest[:12]}"


def journal(bundle: Bundle) -> str:
    """One chain of steps, whose finished stages left exactly the files that are there."""
    finished = [step.stage for step in bundle.steps if step.status == "finished"]
    wanted = [stage for stage in Stage if stage is not Stage.ARCHIVE]
    if finished != wanted:
        raise refuse(f"finished stages are {', '.join(finished) or 'none'}")
    claimed = claims(bundle.steps)
    found = {name: digest for name, digest in bundle.digests.items() if name != layout.RUNLOG}
    if wrong := sorted(name for name in claimed.keys() | found.keys() if claimed.get(name) != found.get(name)):
        raise refuse(f"not as a stage left it: {some(wrong)}")
    return f"{len(bundle.steps)} steps in one chain; every file is as its stage left it"


def plan_first(bundle: Bundle) -> str:
    """Stage plan froze the plan and its seal before any other stage left a file."""
    by_stage = {step.stage: step for step in bundle.steps if step.status == "finished"}
    if set(by_stage[Stage.PLAN].files) != {layout.PLAN, layout.PLAN_SEAL}:
        raise refuse("stage plan left something else than the plan and its seal")
    for stage, name in layout.SAMPLES.items():
        if name not in by_stage[stage].files:
            raise refuse(f"{name} does not come from stage {stage}")
    if layout.VERDICT not in by_stage[Stage.DECIDE].files:
        raise refuse(f"{layout.VERDICT} does not come from stage decide")
    frozen = datetime.fromisoformat(by_stage[Stage.PLAN].time)
    if datetime.fromisoformat(bundle.plan.provenance.created_at) > frozen + CLOCK_STEP:
        raise refuse("the plan says that it was made after it was frozen")
    return f"frozen at {by_stage[Stage.PLAN].time}, before anything was measured"


def agrees(bundle: Bundle) -> str:
    """The predicate is the one that the files allow."""
    told, time = bundle.statement.predicate, bundle.steps[-1].time
    # Where it stands in its chain and what its store guarantees does not follow from the bundle's files.
    facts = SealFacts(time, told.store, told.sequence, told.previous)
    measured = {Stage.BASELINE: bundle.baseline_samples, Stage.REPROFILE: bundle.comparison_samples}
    if told != predicate_for(bundle.digests, bundle.plan, bundle.claimed_verdict, measured, facts):
        raise refuse("it says something else about the run than the run's own files")
    return f"sealed after {time} on host {told.host.name!a} by prfpipe {told.prfpipe!a}"


def measured_after(bundle: Bundle) -> str:
    """No sample is older than the moment at which the sealed plan was on the disk."""
    steps = [step for step in bundle.steps if step.status == "finished" and step.stage is Stage.PLAN]
    frozen = datetime.fromisoformat(steps[0].time)
    times = [item.started_at for stage in MEASURING for item in bundle.samples(stage).invocations]
    if early := [time for time in times if datetime.fromisoformat(time) < frozen - CLOCK_STEP]:
        raise refuse(
            f"{len(early)} invocations began before the plan was signed at {steps[0].time}, first {min(early)}"
        )
    return f"plan signed by {steps[0].time}, first sample at {min(times)}"
