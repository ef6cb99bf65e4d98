"""The statement: read in its one canonical form, refused in every other."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prfpipe import layout
from prfpipe.attest import SealFacts, manifest_of, predicate_for, read_statement, statement_payload
from prfpipe.attest.envelope import open_envelope
from prfpipe.attest.signing import verify
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, TamperError
from prfpipe.models import FileDigest, Plan, SampleSet, Verdict
from tests.support import bundles, records
from tests.support.bundles import KEY, OTHER_KEY

TIME = "2026-11-23T08:20:00Z"
NOTHING = SampleSet(schedules=(), invocations=())
SAMPLES = {Stage.BASELINE: NOTHING, Stage.REPROFILE: NOTHING}
FACTS = SealFacts(created_at=TIME, store=bundles.STORE, sequence=2, previous="7" * 64)


def digest(data: bytes) -> FileDigest:
    return FileDigest(sha256=sha256_hex(data), size=len(data))


ALWAYS = {name: digest(name.encode()) for name in (layout.PLAN, layout.PLAN_SEAL, *layout.SAMPLES.values())}
FILES = {**ALWAYS, layout.PROOF_TEXT: digest(b"proven"), "art-05-tail/tail.md": digest(b"")}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return bundles.plan()


@pytest.fixture(scope="module")
def verdict(plan: Plan) -> Verdict:
    return records.verdict(plan, records.samples(bundles.SPEEDUPS, invocations=6, operations=5))


@pytest.fixture(scope="module")
def statement(plan: Plan, verdict: Verdict) -> bytes:
    return made(FILES, plan, verdict)


def made(files: dict[str, FileDigest], plan: Plan, verdict: Verdict) -> bytes:
    return KEY.seal(statement_payload(files, predicate_for(files, plan, verdict, SAMPLES, FACTS)))


def payload_of(statement: bytes) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads(statement)["payload"]))


def enveloped(payload: bytes, /, **changes: Any) -> bytes:
    """An envelope whose signature is right, with other fields."""
    return canonical_json({**json.loads(KEY.seal(payload)), **changes})


def test_what_is_stated_is_read_back(statement: bytes, plan: Plan) -> None:
    found = read_statement(statement)
    assert (found.files, found.keyid) == (FILES, KEY.keyid)
    told = found.predicate
    assert (told.run_id, told.lever, told.verdict, told.claim) == (plan.run_id, "LEV-01", "adopt", "met")
    assert (told.plan_sha256, told.plan_seal_sha256) == (FILES[layout.PLAN].sha256, FILES[layout.PLAN_SEAL].sha256)
    assert (told.created_at, told.host.name, told.rule, told.tools) == (
        TIME,
        "bench-1",
        plan.rule,
        plan.provenance.tools,
    )
    assert (told.sequence, told.previous, told.store) == (2, "7" * 64, bundles.STORE)
    assert told.proof == {layout.PROOF_TEXT: FILES[layout.PROOF_TEXT].sha256}


def test_it_names_its_sample_sets_by_digest_and_number_of_samples() -> None:
    found = bundles.Parts.of(PLAN)
    samples = {
        Stage.BASELINE: SampleSet(schedules=(), invocations=found.baseline),
        Stage.REPROFILE: SampleSet(schedules=(), invocations=found.reprofile),
    }
    told = predicate_for(FILES, PLAN, VERDICT, samples, FACTS).samples
    assert {name: item.sha256 for name, item in told.items()} == {
        "baseline": FILES[layout.SAMPLES[Stage.BASELINE]].sha256,
        "re-profile": FILES[layout.SAMPLES[Stage.REPROFILE]].sha256,
    }
    assert told["baseline"].count == 2 * bundles.ROUNDS * len(found.baseline)
    assert told["re-profile"].count == 3 * bundles.ROUNDS * len(found.reprofile)


def test_it_is_an_in_toto_statement_in_a_dsse_envelope_with_one_signature(statement: bytes) -> None:
    envelope = json.loads(statement)
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    [signed] = envelope["signatures"]
    assert signed.keys() == {"keyid", "sig"}
    payload = payload_of(statement)
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["predicateType"] == "urn:prfpipe:evidence:v1"
    assert {"name": "art-05-tail/tail.md", "digest": {"sha256": sha256_hex(b"")}} in payload["subject"]


def test_the_same_files_are_stated_in_the_same_bytes(plan: Plan, verdict: Verdict, statement: bytes) -> None:
    assert made(FILES, plan, verdict) == statement


def test_the_statement_of_another_run_is_no_manifest_of_this_one(statement: bytes) -> None:
    assert manifest_of(statement, bundles.RUN_ID) == read_statement(statement).files
    other = "20261123T081500Z-lev-01-00000000"
    with pytest.raises(TamperError, match=f"of run {bundles.RUN_ID}, not of {other}"):
        manifest_of(statement, other)


PLAN = bundles.plan()
VERDICT = records.verdict(PLAN, records.samples({}, invocations=0))
NAMES = st.from_regex(r"[a-z0-9_][a-z0-9._-]{0,9}(/[a-z0-9_][a-z0-9._-]{0,9}){0,2}", fullmatch=True)


@settings(max_examples=25)
@given(st.dictionaries(NAMES, st.binary(max_size=4), max_size=6))
def test_any_set_of_files_round_trips(files: dict[str, bytes]) -> None:
    found = {**ALWAYS, **{name: digest(data) for name, data in files.items()}}
    assert read_statement(made(found, PLAN, VERDICT)).files == found


Edit = Callable[[dict[str, Any]], object]
PAYLOADS: dict[str, Edit] = {
    "another statement type": lambda p: p.update(_type="https://in-toto.io/Statement/v0.1"),
    "another predicate type": lambda p: p.update(predicateType="urn:prfpipe:evidence:v2"),
    "an unknown key": lambda p: p.update(more=1),
    "a key by its Python name": lambda p: p.update(predicate_type=p.pop("predicateType")),
    "no subject": lambda p: p.update(subject=[]),
    "a name twice": lambda p: p["subject"].append(p["subject"][-1]),
    "names out of order": lambda p: p["subject"].reverse(),
    "a weaker hash": lambda p: p["subject"][0].update(digest={"sha1": "0" * 40}),
    "a second hash": lambda p: p["subject"][0]["digest"].update(md5="0" * 32),
    "a short hash": lambda p: p["subject"][0]["digest"].update(sha256="0" * 63),
    "an upper-case hash": lambda p: p["subject"][0]["digest"].update(sha256="A" * 64),
    "a name that leaves the folder": lambda p: p["subject"][0].update(name="../../etc/passwd"),
    "an absolute name": lambda p: p["subject"][0].update(name="/etc/passwd"),
    "a hidden name": lambda p: p["subject"][0].update(name=".ssh/id"),
    "a name with a NUL": lambda p: p["subject"][0].update(name="a\0b"),
    "a look-alike name": lambda p: p["subject"][0].update(name="рlan.json"),
    "a very long name": lambda p: p["subject"][0].update(name="a" * 5000),
    "the statement itself": lambda p: p["subject"][0].update(name="statement.dsse.json"),
    "a size missing": lambda p: p["predicate"]["sizes"].pop("plan.json"),
    "a size too many": lambda p: p["predicate"]["sizes"].update(more=1),
    "a negative size": lambda p: p["predicate"]["sizes"].update({"plan.json": -1}),
    "a size that is text": lambda p: p["predicate"]["sizes"].update({"plan.json": "4"}),
    "a fractional size": lambda p: p["predicate"]["sizes"].update({"plan.json": 4.5}),
    "an unknown verdict": lambda p: p["predicate"].update(verdict="excellent"),
    "no verdict": lambda p: p["predicate"].pop("verdict"),
    "sample sets of one stage alone": lambda p: p["predicate"]["samples"].pop("re-profile"),
    "samples of another stage": lambda p: p["predicate"]["samples"].update(verify={"sha256": "0" * 64, "count": 1}),
    "a negative number of samples": lambda p: p["predicate"]["samples"]["baseline"].update(count=-1),
    "a number zero in its chain": lambda p: p["predicate"].update(sequence=0),
    "nothing before the second of a chain": lambda p: p["predicate"].update(previous=None),
    "something before the first of a chain": lambda p: p["predicate"].update(sequence=1),
    "an unknown store": lambda p: p["predicate"]["store"].update(kind="tape"),
    "an unknown guarantee": lambda p: p["predicate"]["store"].update(guarantees={"atomic": "perhaps"}),
    "a rule without its alpha": lambda p: p["predicate"]["rule"].pop("alpha"),
    "an unsafe run id": lambda p: p["predicate"].update(run_id="../x"),
}  # fmt: skip


@pytest.mark.parametrize("edit", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_payload_is_refused_with(statement: bytes, edit: Edit) -> None:
    payload = payload_of(statement)
    edit(payload)
    with pytest.raises(BundleError, match=r"^statement\.dsse\.json"):
        read_statement(enveloped(canonical_json(payload)))


def signatures(*found: dict[str, Any]) -> Callable[[bytes], bytes]:
    return lambda payload: enveloped(payload, signatures=list(found))


def altered(**changes: Any) -> Callable[[bytes], bytes]:
    """The right signature with other fields."""

    def make(payload: bytes) -> bytes:
        [right] = json.loads(enveloped(payload))["signatures"]
        found = {name: value(right) if callable(value) else value for name, value in {**right, **changes}.items()}
        return enveloped(payload, signatures=[found])

    return make


def doubled(payload: bytes) -> bytes:
    right = json.loads(enveloped(payload))["signatures"]
    return enveloped(payload, signatures=right * 2)


def countersigned(payload: bytes) -> bytes:
    [first], [second] = (json.loads(key.seal(payload))["signatures"] for key in (KEY, OTHER_KEY))
    return enveloped(payload, signatures=[first, second])


def same_key_under_another_id(payload: bytes) -> bytes:
    [right] = json.loads(enveloped(payload))["signatures"]
    return enveloped(payload, signatures=[right, {**right, "keyid": OTHER_KEY.keyid}])


ENVELOPES: dict[str, Callable[[bytes], bytes]] = {
    "another payload type": lambda payload: enveloped(payload, payloadType="application/json"),
    "a payload type in other letters": lambda payload: enveloped(payload, payloadType="application/vnd.in-toto+JSON"),
    "no signature": signatures(),
    "an empty signature": signatures({}),
    "a signature without a key id": signatures({"sig": "eA=="}),
    "a signature of one byte": signatures({"keyid": "0" * 64, "sig": "eA=="}),
    "a signature of no bytes": altered(sig=""),
    "a signature that is 65 bytes long": altered(sig=base64.b64encode(b"x" * 65).decode()),
    "the same signature twice": doubled,
    "a second key's signature as well": countersigned,
    "one key's signature under two ids": same_key_under_another_id,
    "an extra key in the signature": altered(extra=1),
    "a certificate beside the signature": altered(cert="-----BEGIN CERTIFICATE-----"),
    "a short key id": altered(keyid="0" * 63),
    "an upper-case key id": altered(keyid="A" * 64),
    "a signature in URL-safe base64": altered(sig=base64.urlsafe_b64encode(b"\xff" * 64).decode()),
    "a signature in base64 with unused bits": altered(
        sig=lambda right: right["sig"][:-3] + _next(right["sig"][-3]) + "=="
    ),
    "a signature in base64 with a line break": altered(sig=lambda right: right["sig"] + "\n"),
    "a signature in base64 without padding": altered(sig=lambda right: right["sig"].rstrip("=")),
    "a signature that is no text": altered(sig=None),
    "no signatures key": lambda payload: replaced_json(enveloped(payload), lambda e: e.pop("signatures")),
    "an unknown key": lambda payload: enveloped(payload, more=1),
    "an indented payload": lambda payload: enveloped(json.dumps(json.loads(payload), indent=1).encode()),
    "a payload that is not JSON": lambda payload: enveloped(payload[:-1]),
    "a payload that is no object": lambda payload: enveloped(b"[]"),
    "not a number in the payload": lambda payload: enveloped(payload.replace(b'"sizes":{', b'"sizes":{"z":NaN,')),
    "a repeated key in the payload": lambda payload: enveloped(b'{"_type":"x",' + payload[1:]),
    "URL-safe base64": lambda payload: enveloped(payload, payload=base64.urlsafe_b64encode(b"\xff\xfe" * 9).decode()),
    "base64 with a line break": lambda payload: enveloped(payload, payload=base64.encodebytes(payload).decode()),
    "base64 without padding": lambda payload: enveloped(payload, payload="e30"),
    "base64 with unused bits": lambda payload: enveloped(payload, payload="e31="),
    "base64 with letters that do not count": lambda payload: enveloped(payload, payload="e3*0="),
    "a payload that is no text": lambda payload: enveloped(payload, payload=1),
    "an envelope with spaces": lambda payload: enveloped(payload).replace(b",", b", "),
    "an envelope with a newline": lambda payload: enveloped(payload) + b"\n",
    "a repeated key": lambda payload: b'{"payload":"",' + enveloped(payload)[1:],
    "a repeated key in the signature": lambda payload: enveloped(payload).replace(b'{"keyid"', b'{"keyid":"x","keyid"'),
    "nothing": lambda payload: b"",
    "a list": lambda payload: b"[]",
}


def _next(letter: str) -> str:
    """A letter of base64 that differs in bits that carry nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return letters[letters.index(letter) | 1]


def replaced_json(data: bytes, edit: Edit) -> bytes:
    value = json.loads(data)
    edit(value)
    return canonical_json(value)


@pytest.mark.parametrize("make", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_an_envelope_is_refused_with(statement: bytes, make: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BundleError, match=r"^statement\.dsse\.json"):
        read_statement(make(canonical_json(payload_of(statement))))


def test_an_enormous_statement_is_not_parsed(monkeypatch: pytest.MonkeyPatch, statement: bytes) -> None:
    monkeypatch.setattr("prfpipe.attest.envelope.MAX_ENVELOPE_BYTES", len(statement) - 1)
    with pytest.raises(BundleError, match="too many"):
        read_statement(statement)


def test_a_signature_says_nothing_about_other_bytes(statement: bytes) -> None:
    payload = payload_of(statement)
    payload["predicate"]["verdict"] = "reject"
    forged = enveloped(canonical_json(payload), signatures=json.loads(statement)["signatures"])
    assert read_statement(forged).predicate.verdict == "reject"
    with pytest.raises(TamperError, match="not one by key"):
        verify(open_envelope(forged, layout.STATEMENT), KEY.public)
