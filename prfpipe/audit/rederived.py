"""What the recorded bytes give again: samples by the plan, tree, verdict, reports, events."""

import re
from collections.abc import Callable, Mapping
from itertools import islice

from prfpipe import figures, layout
from prfpipe.artifacts.art01 import baseline_report
from prfpipe.artifacts.art03 import comparison
from prfpipe.artifacts.art04 import proof_notes
from prfpipe.artifacts.art05 import tail_notes
from prfpipe.audit import samples
from prfpipe.audit.bundle import MAX_PROBLEMS, Bundle, Noted, refuse, some
from prfpipe.digests import sha256_hex, sha256_tree
from prfpipe.doctrine import Stage
from prfpipe.events import events_bytes, events_for, read_events

_META = re.compile(rb'<meta name="(prfpipe-[a-z0-9-]+)" content="([^"<>]*)">')

Run = Callable[[Bundle], str]


def samples_of(stage: samples.MeasuringStage) -> Run:
    """The samples of a stage are those that follow from the plan, no fewer and no more."""

    def run(bundle: Bundle) -> str:
        if wrong := list(islice(samples.problems(bundle, stage), MAX_PROBLEMS)):
            raise refuse("; ".join(wrong))
        found = bundle.samples(stage)
        count = sum(len(arm.samples_ns) for item in found.invocations for arm in item.arms.values())
        return f"{len(found.invocations)} invocations, {count} samples{_measured_again(bundle, stage)}"

    return run


def _measured_again(bundle: Bundle, stage: Stage) -> str:
    kept = sum(layout.interrupted_samples(stage, number) in bundle.files for number in range(1, len(bundle.files)))
    return f"; measured anew after {kept} interrupted sets, which do not count" if kept else ""


def tree(bundle: Bundle) -> str:
    """The tree that was measured is the lever folder that was planned."""
    if sha256_tree(bundle.tree.files) != bundle.tree.digest:
        raise refuse("its digest is not that of its files")
    if bundle.tree.files != bundle.plan.source_files:
        raise refuse("it is not the lever folder that the plan froze")
    allowed = layout.optimized_files(bundle.plan.lever)
    outside = [name for name in bundle.tree.changed_files if name not in allowed]
    if outside != list(bundle.tree.outside_path):
        raise refuse("it does not say rightly which changes lie outside of the optimized path")
    return bundle.tree.digest[:12]


def verdict(bundle: Bundle) -> str:
    """Statistics and verdict again, to the byte."""
    if layout.encode(bundle.verdict) != bundle.file(layout.VERDICT):
        word = bundle.claimed_verdict.verdict
        raise refuse(f"{layout.VERDICT} says {word}, not what the samples give ({bundle.verdict.verdict})")
    return f"{bundle.verdict.verdict}, claim {bundle.verdict.claim}: the same bytes"


def _same(derive: Callable[[Bundle], Mapping[str, bytes]]) -> Run:
    def run(bundle: Bundle) -> str:
        derived = derive(bundle)
        wrong = [name for name, data in derived.items() if bundle.file(name) != data]
        if wrong and (bundle.made_by_this_version or not all(name.endswith(".md") for name in wrong)):
            raise refuse(f"not what the records give: {some(wrong)}")
        if wrong:
            raise Noted(f"{some(wrong)}: worded by prfpipe {bundle.made_by!a}, in other words than this version's")
        return f"{', '.join(derived)}: the same bytes"

    return run


def _baseline_report(bundle: Bundle) -> Mapping[str, bytes]:
    found = bundle.baseline_samples
    return baseline_report(bundle.plan, figures.baseline_results(bundle.plan, found), found)


def _comparison(bundle: Bundle) -> Mapping[str, bytes]:
    # Wording may differ between versions; the verdict's own word may not.
    if f"Verdict: {bundle.verdict.verdict}\n".encode() not in bundle.file(layout.COMPARISON_TEXT):
        raise refuse(f"{layout.COMPARISON_TEXT} does not say {bundle.verdict.verdict}")
    return {**comparison(bundle.plan, bundle.verdict), **tail_notes(bundle.plan, bundle.verdict)}


def _proof_text(bundle: Bundle) -> Mapping[str, bytes]:
    prove = bundle.proof("prove")
    return proof_notes(bundle.plan, prove, bundle.proof("verify")) if prove else {}


art_01, art_03_05, art_04 = _same(_baseline_report), _same(_comparison), _same(_proof_text)


def page(bundle: Bundle) -> str:
    """The report names this verdict."""
    told = _META.findall(bundle.file(layout.REPORT))
    wanted = {
        b"prfpipe-verdict": bundle.verdict.verdict.encode(),
        b"prfpipe-claim": bundle.verdict.claim.encode(),
        b"prfpipe-run": bundle.plan.run_id.encode(),
        b"prfpipe-verdict-sha256": sha256_hex(bundle.file(layout.VERDICT)).encode(),
    }
    if sorted(told) != sorted(wanted.items()):
        raise refuse(f"{layout.REPORT} is the report of another verdict")
    return f"{layout.REPORT} names this verdict"


def events(bundle: Bundle) -> str:
    """The events are those that this run emits."""
    data = bundle.file(layout.EVENTS)
    times = {event.time for event in read_events(data)}
    if len(times) > 1:
        raise refuse("events of one run carry different times")
    missing = layout.missing_files(bundle.plan, bundle.files)
    expected = events_for(bundle.plan, bundle.verdict, missing, times.pop() if times else "")
    if events_bytes(expected) != data:
        raise refuse(f"{layout.EVENTS} is not what this run emits")
    return ", ".join(event.code for event in expected) or "none"
