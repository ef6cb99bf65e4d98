"""One thing wrong with bytes, names, envelope or signature. See FAULTS: tampering."""

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from prfpipe import layout
from prfpipe.attest.signing import SigningKey
from prfpipe.digests import canonical_json
from tests.golden.bundles import forge
from tests.golden.bundles.forge import Files, anew, flipped, replaced, sampled, stated, with_envelope, with_payload
from tests.golden.bundles.whole import Recipe, second
from tests.support.bundles import OTHER_KEY

STATEMENT, PLAN, SEAL, VERDICT = layout.STATEMENT, layout.PLAN, layout.PLAN_SEAL, layout.VERDICT
SVG = layout.profile_file("baseline", "cpu.svg")

ONE_BYTE = {
    "plan": PLAN, "plan-seal": SEAL, "journal": layout.RUNLOG, "samples": forge.SAMPLES, "verdict": VERDICT,
    "events": layout.EVENTS, "page": layout.REPORT, "baseline-report": layout.BASELINE_REPORT,
    "comparison": layout.COMPARISON, "text": layout.COMPARISON_TEXT, "proof": layout.VERIFY, "tail": layout.TAIL,
    "flamegraph": SVG, "profile": layout.profile_file("candidate", "profile.json"), "patch": layout.CHANGE,
    "tree": layout.TREE,
}  # fmt: skip


def _flipped(name: str, files: Files) -> Files:
    return flipped(files, name)


def _payload_byte(files: Files) -> Files:
    """One hexadecimal digit of a digest in the payload; base64 and JSON stay in their one form."""

    def edit(envelope: Any) -> Any:
        payload = base64.b64decode(envelope["payload"])
        changed = re.sub(rb'("plan_sha256":")(.)', lambda m: m[1] + (b"0" if m[2] != b"0" else b"1"), payload)
        return {**envelope, "payload": base64.b64encode(changed).decode()}

    return with_envelope(files, edit)


def _signatures(edit: Callable[[Any], Any]) -> Recipe:
    return lambda files: with_envelope(files, lambda found: {**found, "signatures": edit(found["signatures"])})


def _one_signature(**changes: Any) -> Recipe:
    return _signatures(lambda found: [{**found[0], **changes}])


def _signature_bit(files: Files) -> Files:
    def edit(found: Any) -> Any:
        raw = bytearray(base64.b64decode(found[0]["sig"]))
        raw[7] ^= 1
        return [{**found[0], "sig": base64.b64encode(raw).decode()}]

    return _signatures(edit)(files)


def _other_signature(key: SigningKey, files: Files) -> list[Any]:
    payload = canonical_json(forge.payload_of(files[STATEMENT]))
    return list(json.loads(key.seal(payload))["signatures"])


def _extra_signature(files: Files) -> Files:
    return _signatures(lambda found: [*found, *_other_signature(OTHER_KEY, files)])(files)


def _signature_of_another(files: Files) -> Files:
    foreign = json.loads(second(files)[STATEMENT])["signatures"]
    return _signatures(lambda _: foreign)(files)


def _text(name: str, old: bytes, new: bytes) -> Recipe:
    return lambda files: replaced(files, name, old, new)


def _loose_base64(field: str) -> Recipe:
    """The unused bits of the last letter set: another spelling of the same bytes."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    def loose(text: str) -> str:
        last = len(text.rstrip("="))
        return text[: last - 1] + letters[letters.index(text[last - 1]) | 1] + text[last:]

    def edit(found: Any) -> Any:
        if field == "sig":
            return {**found, "signatures": [{**found["signatures"][0], "sig": loose(found["signatures"][0]["sig"])}]}
        padded = forge.payload_of(canonical_json(found))
        while len(canonical_json(padded)) % 3 == 0:
            padded["predicate"]["created_at"] += "0"
        text = base64.b64encode(canonical_json(padded)).decode()
        return {**found, "payload": loose(text)}

    return lambda files: with_envelope(files, edit)


def _without(*gone: str) -> Recipe:
    return lambda files: {name: data for name, data in files.items() if name not in gone}


def _with(name: str, change: Callable[[bytes], bytes]) -> Recipe:
    return lambda files: {**files, name: change(files.get(name, b""))}


def _renamed(files: Files) -> Files:
    return {("art-02-profile/baseline/cpu.old.svg" if name == SVG else name): data for name, data in files.items()}


def _sealed_by_another(files: Files) -> Files:
    return stated(forge.journaled(forge.sealed(files, OTHER_KEY)))


def _envelope(**changes: Any) -> Recipe:
    return lambda files: with_envelope(files, lambda found: {**found, **changes})


def _payload(**changes: Any) -> Recipe:
    return lambda files: with_payload(files, lambda found: {**found, **changes})


def _subjects(edit: Callable[[Any], Any]) -> Recipe:
    return lambda files: with_payload(files, lambda found: {**found, "subject": edit(found["subject"])})


def _weak(subject: Any) -> Any:
    return [{**subject[0], "digest": {"sha1": "a" * 40}}, *subject[1:]]


DAMAGED: dict[str, tuple[str, Recipe]] = {
    **{f"one-byte-of-the-{kind}": ("digests", partial(_flipped, name)) for kind, name in ONE_BYTE.items()},
    "one-byte-of-the-payload": ("signature", _payload_byte),
    "one-bit-of-the-signature": ("signature", _signature_bit),
    "file-truncated": ("digests", _with(forge.SAMPLES, lambda data: data[:-9])),
    "file-extended": ("digests", _with(layout.REPORT, lambda data: data + b"<!-- -->\n")),
    "file-emptied": ("digests", _with(layout.EVENTS, lambda _: b"")),
    "file-missing": ("files", _without(SVG)),
    "file-added": ("files", _with("art-05-tail/more.json", lambda _: b"{}\n")),
    "file-renamed": ("files", _renamed),
    "statement-missing": ("statement", _without(STATEMENT)),
    "statement-of-another-run": ("digests", lambda files: {**files, STATEMENT: second(files)[STATEMENT]}),
    "signature-of-another-statement": ("signature", _signature_of_another),
    "signed-by-an-untrusted-key": ("signature", lambda files: anew(files, OTHER_KEY)),
    "plan-sealed-by-another-key": ("plan-seal", _sealed_by_another),
    "signatures-none": ("statement", _signatures(lambda _: [])),
    "signatures-repeated": ("statement", _signatures(lambda found: found * 2)),
    "signatures-of-two-keys": ("statement", _extra_signature),
    "signature-with-another-key-in-it": ("statement", _one_signature(cert="none")),
    "signature-under-another-keys-id": ("signature", _one_signature(keyid=OTHER_KEY.keyid)),
    "signature-under-no-id": ("statement", _one_signature(keyid="")),
    "signature-cut-short": ("statement", _one_signature(sig=base64.b64encode(b"x" * 63).decode())),
    "envelope-with-another-key-in-it": ("statement", _envelope(more=1)),
    "envelope-with-a-key-twice": ("statement", _text(
        STATEMENT, b'"payloadType":', b'"payloadType":"x","payloadType":')),
    "envelope-spelt-otherwise": ("statement", _text(STATEMENT, b',"payloadType"', b', "payloadType"')),
    "envelope-with-loose-base64": ("statement", _loose_base64("payload")),
    "signature-with-loose-base64": ("statement", _loose_base64("sig")),
    "another-payload-type": ("statement", _envelope(payloadType="application/json")),
    "another-statement-type": ("statement", _payload(_type="https://in-toto.io/Statement/v0.1")),
    "an-unknown-version-of-the-predicate": ("statement", _payload(predicateType="urn:prfpipe:evidence:v2")),
    "an-unknown-version-of-the-plan": ("plan", lambda files: anew(
        replaced(files, PLAN, b"prfpipe/plan/v1", b"prfpipe/plan/v2"))),
    "nan-in-the-verdict": ("verdict", lambda files: anew(
        {**files, VERDICT: re.sub(rb'"estimate": [0-9.]+', b'"estimate": NaN', files[VERDICT], count=1)})),
    "infinity-in-the-samples": ("reprofile", lambda files: anew(sampled(
        files, lambda lines: [*lines[:-1], re.sub(rb'"elapsed_ns":[0-9]+', b'"elapsed_ns":Infinity', lines[-1])]))),
    "a-weaker-hash": ("statement", _subjects(_weak)),
    "a-weaker-hash-beside-the-right-one": ("statement", _subjects(
        lambda found: [{**found[0], "digest": {**found[0]["digest"], "sha1": "a" * 40}}, *found[1:]])),
    "a-digest-in-capitals": ("statement", _subjects(
        lambda found: [{**found[0], "digest": {"sha256": found[0]["digest"]["sha256"].upper()}}, *found[1:]])),
    "a-file-listed-twice": ("statement", _subjects(lambda found: [found[0], *found])),
    "files-listed-in-another-order": ("statement", _subjects(lambda found: found[::-1])),
}  # fmt: skip
