"""The end of a run: decide on what was recorded, write the reports, seal the bundle, archive it."""

from datetime import UTC, datetime, timedelta

from prfpipe import figures, layout
from prfpipe.artifacts.art03 import comparison
from prfpipe.artifacts.art04 import proof_notes
from prfpipe.artifacts.art05 import tail_notes
from prfpipe.artifacts.evidence import Evidence
from prfpipe.artifacts.report import report
from prfpipe.artifacts.summary import Kept
from prfpipe.attest import SealFacts, predicate_for, statement_payload
from prfpipe.attest.chain import Place, chain_name, take_place
from prfpipe.attest.keys import Keys
from prfpipe.attest.plan_seal import read_plan_seal
from prfpipe.digests import sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, StoreError
from prfpipe.events import LogSink, emit_all, events_bytes, events_for
from prfpipe.loop.context import RunContext
from prfpipe.models import ProfileDiff, SampleSet, StoreGuarantees, Verdict
from prfpipe.runlog import RunLog, utc_now
from prfpipe.samples import read_samples
from prfpipe.store import open_store
from prfpipe.store.evidence import key, ref_of
from prfpipe.store.local import archive_sealed
from prfpipe.store.probe import guarantees_at
from prfpipe.verdict import decide as decide_verdict

_LINKS_LAST = timedelta(days=7)


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
    samples = _samples(context)
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
        SigningKeyError: the key that signed the plan is not there; the run stays as it is and can be resumed.
        StoreError: the store failed; the sealed bundle stays in the run folder.
    """
    folder = context.folder
    if not folder.sealed:
        context.progress.say("archive: what the store guarantees")
        guarantees = guarantees_at(store_url)
        if folder.has(layout.LOG_PARTIAL):
            folder.remove(layout.LOG_PARTIAL)
        folder.seal(_statement(context, runlog.steps[-1].time, guarantees))

    def tell(name: str, done: int, total: int) -> None:
        context.progress.say(f"archive: {name}", done=done / max(total, 1))

    return archive_sealed(open_store(store_url), folder, tell)


def kept_at(context: RunContext, store_url: str) -> Kept:
    """Where an archived run's evidence can be read: links that are good for a week, where the store makes links."""
    store, now = open_store(store_url), datetime.now(UTC)
    ref = ref_of(store, context.plan.run_id, None)
    names, seconds = [key(ref, name) for name in (layout.REPORT, layout.STATEMENT)], int(_LINKS_LAST.total_seconds())
    until = f"{now + _LINKS_LAST:%Y-%m-%d %H:%M} UTC" if store.kind == "s3" else ""
    try:
        report, statement = (store.link(name, seconds) for name in names)
    except StoreError:
        # The evidence is in the store, which is what counts.
        (report, statement), until = (store.url(name) for name in names), ""
    return Kept(ref.url, report, statement, sha256_hex(context.folder.read(layout.REPORT)), until)


def _statement(context: RunContext, decided_at: str, store: StoreGuarantees) -> bytes:
    """The signed statement, by the key that signed the plan, once its place in the lever's chain is on the disk."""
    settings, plan, files = context.settings, context.plan, context.folder.files()
    keys = Keys(settings.key_folder)
    signer = keys.signing_key(read_plan_seal(context.folder.read(layout.PLAN_SEAL)).keyid)
    verdict, samples = verdict_of(context), _samples(context)

    def make(place: Place) -> bytes:
        facts = SealFacts(decided_at, place.store, place.sequence, place.previous)
        return signer.seal(statement_payload(files, predicate_for(files, plan, verdict, samples, facts)))

    chain = chain_name(plan.lever.id, keys.first_of(signer.keyid))
    return take_place(settings.chains, chain, plan.run_id, signer.keyid, store, make)


def _samples(context: RunContext) -> dict[Stage, SampleSet]:
    return {stage: read_samples(context.folder.read(name), name, stage) for stage, name in layout.SAMPLES.items()}


def verdict_of(context: RunContext) -> Verdict:
    """The verdict that stage decide wrote."""
    return layout.read_verdict({layout.VERDICT: context.folder.read(layout.VERDICT)})


def _difference(files: dict[str, bytes]) -> ProfileDiff | None:
    if layout.DIFFERENCE not in files:
        return None
    return layout.decode(ProfileDiff, files[layout.DIFFERENCE], layout.DIFFERENCE)
