"""The end of a run: decide on what was recorded, write the reports, seal the bundle, archive it."""

from prfpipe import figures, layout
from prfpipe.artifacts.art03 import comparison
from prfpipe.artifacts.art04 import proof_notes
from prfpipe.artifacts.art05 import tail_notes
from prfpipe.artifacts.evidence import Evidence
from prfpipe.artifacts.report import report
from prfpipe.attest import make_statement, read_statement
from prfpipe.digests import sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError
from prfpipe.events import LogSink, emit_all, events_bytes, events_for
from prfpipe.loop.context import RunContext
from prfpipe.models import ProfileDiff, Verdict
from prfpipe.runlog import RunLog, utc_now
from prfpipe.samples import read_samples
from prfpipe.store import open_store
from prfpipe.store.evidence import archive as put_bundle
from prfpipe.verdict import decide as decide_verdict


def decide(context: RunContext) -> None:
    """The verdict from what is on the disk, then ART-03, ART-05, events and the report."""
    context.progress.say("decide: verdict and report")
    evidence = gather(context)
    verdict = evidence.verdict
    files = {
        **layout.verdict_files(verdict),
        **comparison(context.plan, verdict),
        **tail_notes(context.plan, verdict),
        **(proof_notes(context.plan, evidence.prove, evidence.verify) if evidence.prove else {}),
        layout.REPORT: report(evidence),
    }
    lacking = layout.missing_files(context.plan, [*context.folder.files(), *files])
    events = events_for(context.plan, verdict, lacking, utc_now())
    emit_all(events, LogSink())
    context.folder.write_all({**files, layout.EVENTS: events_bytes(events)})


def gather(context: RunContext) -> Evidence:
    """Everything that the report shows, read back from the run folder, with the verdict made from it."""
    files = context.folder.contents()
    samples = {
        stage: read_samples(files[layout.SAMPLES[stage]], layout.SAMPLES[stage], stage)
        for stage in (Stage.BASELINE, Stage.REPROFILE)
    }
    proofs, profiles, tree = layout.read_proofs(files), layout.read_profiles(files), layout.read_tree(files)
    if tree is None:
        raise BundleError(f"{layout.TREE} is missing", hint="Resume the run: stage implement writes it.")
    verdict = decide_verdict(context.plan, samples[Stage.REPROFILE], proofs, profiles, tree)
    by_stage = {proof.stage: proof for proof in proofs}
    svgs = {
        "baseline": layout.profile_file("baseline", "cpu.svg"),
        "candidate": layout.profile_file("candidate", "cpu.svg"),
        "diff": layout.DIFFERENCE_SVG,
    }
    return Evidence(
        plan=context.plan,
        verdict=verdict,
        verdict_sha256=sha256_hex(layout.encode(verdict)),
        baseline=figures.baseline_results(context.plan, samples[Stage.BASELINE]),
        samples=samples[Stage.REPROFILE],
        prove=by_stage.get("prove"),
        verify=by_stage.get("verify"),
        profiles=profiles,
        diff=_difference(files),
        flamegraphs={name: files[path] for name, path in svgs.items() if path in files},
        tree=tree,
        patch=files[layout.CHANGE],
    )


def archive(context: RunContext, runlog: RunLog, store_url: str) -> str:
    """Seal the bundle once, then put it into the store; returns its URL. Doing it again completes it.

    Raises:
        StoreError: the store failed; the sealed bundle stays in the run folder.
    """
    folder = context.folder
    if not folder.sealed:
        verdict = verdict_of(context)
        sealed = {name: digest for name, digest in folder.files().items() if name != layout.STATEMENT}
        folder.seal(make_statement(sealed, context.plan, verdict, runlog.steps[-1].time))
    manifest = read_statement(folder.read(layout.STATEMENT)).files

    def tell(name: str, done: int, total: int) -> None:
        context.progress.say(f"archive: {name}", done=done / max(total, 1))

    return put_bundle(open_store(store_url), folder.path, context.plan.lever.id, context.plan.run_id, manifest, tell)


def verdict_of(context: RunContext) -> Verdict:
    """The verdict that stage decide wrote."""
    return layout.read_verdict({layout.VERDICT: context.folder.read(layout.VERDICT)})


def _difference(files: dict[str, bytes]) -> ProfileDiff | None:
    if layout.DIFFERENCE not in files:
        return None
    return layout.decode(ProfileDiff, files[layout.DIFFERENCE], layout.DIFFERENCE)
