"""One thing wrong with what is said or claimed; everything is signed and sealed rightly by a trusted key.

See "Claims" in tests/faults/README.md.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from prfpipe import layout
from tests.golden.bundles import forge
from tests.golden.bundles.forge import Files, anew, replaced, sampled, stated, told, with_payload
from tests.golden.bundles.whole import LATER, Recipe, built, candidate_like, plan

STATEMENT, PLAN, SEAL, VERDICT = layout.STATEMENT, layout.PLAN, layout.PLAN_SEAL, layout.VERDICT

TOLD: dict[str, tuple[str, dict[str, Any]]] = {
    "told-another-verdict": ("agrees", {"verdict": "reject"}),
    "told-another-claim": ("agrees", {"claim": "not-met"}),
    "told-another-run": ("agrees", {"run_id": LATER}),
    "told-another-lever": ("agrees", {"lever": "LEV-02"}),
    "told-another-host": ("agrees", {"host": {"name": "bench-2", "sha256": "0" * 64}}),
    "told-another-time": ("agrees", {"created_at": "2026-11-24T08:15:00.000Z"}),
    "told-another-version": ("agrees", {"prfpipe": "9.9.9"}),
    "told-other-tools": ("agrees", {"tools": {}}),
    "told-another-proof": ("agrees", {"proof": {}}),
    "told-fewer-samples": ("agrees", {"samples": None}),
    "told-another-rule": ("agrees", {"rule": None}),
    "told-another-plan": ("agrees", {"plan_sha256": "0" * 64}),
    "first-of-its-chain-with-one-before": ("statement", {"previous": "0" * 64}),
    "second-of-its-chain-with-none-before": ("statement", {"sequence": 2}),
    "number-zero-of-its-chain": ("statement", {"sequence": 0}),
}


def telling(changes: dict[str, Any]) -> Recipe:
    def recipe(files: Files) -> Files:
        predicate = forge.payload_of(files[STATEMENT])["predicate"]
        computed = dict(changes)
        if "samples" in changes:
            sets = predicate["samples"].items()
            computed["samples"] = {name: {**each, "count": each["count"] - 1} for name, each in sets}
        if "rule" in changes:
            computed["rule"] = {**predicate["rule"], "alpha": 0.01}
        return with_payload(files, told(**computed))

    return recipe


# ---- claims: all that is wrong is sealed rightly ---------------------------------------------------------


def _renumbered(lines: list[bytes]) -> list[bytes]:
    """The slowest gain left out, those after it counted anew."""
    kept = [*lines[:4], *lines[5:9]]
    renamed = [re.sub(rb'"index":[0-9]+', b'"index":%d' % (at - 1), line) for at, line in enumerate(kept) if at]
    return [kept[0], *renamed, *lines[9:]]


def _rule_changed(files: Files) -> Files:
    """The plan edited after the baseline; its seal is the old one, journal and statement are made again."""
    changed = replaced(files, PLAN, b'"alpha": 0.05', b'"alpha": 0.2')
    predicate = {**forge.payload_of(files[STATEMENT])["predicate"]["rule"], "alpha": 0.2}
    return stated(forge.journaled(changed), rule=predicate)


def _rule_chosen(_: Files) -> Files:
    chosen = plan()
    return built(chosen.model_copy(update={"rule": chosen.rule.model_copy(update={"alpha": 0.2})}))


def _seal_of_another_plan(files: Files) -> Files:
    other = replaced(files, PLAN, b'"seed": 20261123', b'"seed": 20261124')
    return stated(forge.journaled({**files, SEAL: forge.sealed(other)[SEAL]}))


def _same_code_adopted(_: Files) -> Files:
    """An A/A: the candidate is the baseline. Verdict, texts and page say otherwise."""
    honest = built(plan(), candidate_like("control"))
    word = json.loads(honest[VERDICT])["verdict"].encode()
    told_otherwise = replaced(honest, VERDICT, b'"verdict": "%b"' % word, b'"verdict": "adopt"')
    for name, old, new in (
        (layout.COMPARISON_TEXT, b"Verdict: %b" % word, b"Verdict: adopt"),
        (layout.REPORT, b'content="%b"' % word, b'content="adopt"'),
    ):
        told_otherwise = replaced(told_otherwise, name, old, new)
    return anew(told_otherwise, verdict="adopt")


def _journal_later(files: Files) -> Files:
    """Samples first, the plan signed afterwards: the journal cannot hide it, as its times only grow."""
    times = forge.journaled(files, lambda step: {**step, "time": step["time"].replace("T08:", "T10:")})
    return stated(times, created_at=json.loads(times[layout.RUNLOG].splitlines()[-1])["time"])


def _planned_later(files: Files) -> Files:
    return anew(replaced(files, PLAN, b'"created_at": "2026-11-23T08:15', b'"created_at": "2026-11-23T09:15'))


def _another_primary(files: Files) -> Files:
    """The verdict's figures are of the scenarios that were measured, but another one is called the primary."""
    other = replaced(files, VERDICT, b'"primary": false', b'"primary": null')
    other = replaced(other, VERDICT, b'"primary": true', b'"primary": false')
    return anew(replaced(other, VERDICT, b'"primary": null', b'"primary": true'))


def _unverified(files: Files) -> Files:
    return anew({name: data for name, data in files.items() if name != layout.VERIFY})


def _edited(name: str, old: bytes, new: bytes, **changes: Any) -> Recipe:
    return lambda files: anew(replaced(files, name, old, new), **changes)


def _lines(edit: Callable[[list[bytes]], list[bytes]]) -> Recipe:
    return lambda files: anew(sampled(files, edit))


def _without_stage(stage: str) -> Recipe:
    def recipe(files: Files) -> Files:
        return stated(forge.journaled(files, lambda step: None if step["stage"] == stage else step))

    return recipe


CLAIMS: dict[str, tuple[str, Recipe]] = {
    "samples-dropped": ("reprofile", _lines(lambda lines: [*lines[:3], *lines[4:]])),
    "samples-dropped-and-counted-anew": ("reprofile", _lines(_renumbered)),
    "samples-dropped-at-the-end": ("reprofile", _lines(lambda lines: [*lines[:6], *lines[9:]])),
    "samples-reordered": ("reprofile", _lines(lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]])),
    "samples-repeated": ("reprofile", _lines(lambda lines: [*lines[:4], lines[3], *lines[4:]])),
    "samples-excluded": ("reprofile", _lines(
        lambda lines: [line.replace(b'"excluded":null', b'"excluded":"noisy"') for line in lines])),
    "samples-of-one-scenario-left-out": ("reprofile", _lines(
        lambda lines: [line for line in lines if b"tenth-100" not in line])),
    "samples-of-the-candidate-made-faster": ("verdict", _lines(
        lambda lines: [re.sub(rb'("candidate":\{[^}]*"samples_ns":\[)[0-9]+', rb"\g<1>1", line) for line in lines])),
    "rule-changed-after-the-baseline": ("plan-seal", _rule_changed),
    "rule-chosen-for-the-run": ("rule", _rule_chosen),
    "seal-of-another-plan": ("plan-seal", _seal_of_another_plan),
    "plan-signed-after-the-samples": ("measured-after", _journal_later),
    "plan-made-after-the-samples": ("baseline", _planned_later),
    "same-code-adopted": ("verdict", _same_code_adopted),
    "proof-of-another-tree": ("verdict", _edited(layout.VERIFY, b'"tree_digest": "7', b'"tree_digest": "8')),
    "proof-that-failed": ("verdict", _edited(layout.VERIFY, b'"passed": true', b'"passed": false')),
    "proof-whose-mutant-survives": ("verdict", _edited(
        "art-04-proof/mutants.json", b'"caught": true', b'"caught": false')),
    "proof-whose-oracle-is-blind": ("verdict", _edited(
        "art-04-proof/oracle.json", b'"caught": true', b'"caught": false')),
    "proof-that-left-a-line-out": ("verdict", _edited(
        "art-04-proof/coverage.json", b'"missing_lines": []', b'"missing_lines": [\n        7\n      ]')),
    "proof-that-was-not-repeated": ("verdict", _unverified),
    "another-scenario-called-primary": ("verdict", _another_primary),
    "tree-that-was-not-planned": ("tree", _edited(layout.TREE, b'"candidate.py": "', b'"candidate.py": "0" ,"x": "')),
    "verdict-changed": ("verdict", _edited(VERDICT, b'"verdict": "adopt"', b'"verdict": "reject"', verdict="reject")),
    "claim-changed": ("verdict", _edited(VERDICT, b'"claim": "met"', b'"claim": "not-met"', claim="not-met")),
    "figure-changed": ("verdict", _edited(VERDICT, b'"estimate": 7', b'"estimate": 9')),
    "text-disagrees-with-the-verdict": ("art-03-05", _edited(
        layout.COMPARISON_TEXT, b"Verdict: adopt", b"Verdict: reject")),
    "page-disagrees-with-the-verdict": ("report", _edited(layout.REPORT, b'content="adopt"', b'content="reject"')),
    "stage-left-out-of-the-journal": ("journal", _without_stage("verify")),
}  # fmt: skip
