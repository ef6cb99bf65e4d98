"""The statement: read in its one canonical form, refused in every other."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prfpipe.attest import make_statement, manifest_of, read_statement
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.errors import BundleError, TamperError
from prfpipe.models import FileDigest, Plan, Verdict
from tests.support import bundles, records

TIME = "2026-11-23T08:20:00Z"


def digest(data: bytes) -> FileDigest:
    return FileDigest(sha256=sha256_hex(data), size=len(data))


FILES = {"plan.json": digest(b"plan"), "verdict.json": digest(b"verdict"), "art-05-tail/tail.md": digest(b"")}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return bundles.plan()


@pytest.fixture(scope="module")
def verdict(plan: Plan) -> Verdict:
    return records.verdict(plan, records.samples(bundles.SPEEDUPS, invocations=6, operations=5))


@pytest.fixture(scope="module")
def statement(plan: Plan, verdict: Verdict) -> bytes:
    return make_statement(FILES, plan, verdict, TIME)


def payload_of(statement: bytes) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads(statement)["payload"]))


def enveloped(payload: bytes, /, **changes: Any) -> bytes:
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [],
    }
    return canonical_json({**envelope, **changes})


def test_what_is_stated_is_read_back(statement: bytes, plan: Plan) -> None:
    found = read_statement(statement)
    assert found.files == FILES
    told = found.predicate
    assert (told.run_id, told.lever, told.verdict, told.claim) == (plan.run_id, "LEV-01", "adopt", "met")
    assert (told.plan_sha256, told.created_at, told.host) == (sha256_hex(b"plan"), TIME, "bench-1")


def test_it_is_an_in_toto_statement_in_a_dsse_envelope_without_signatures(statement: bytes) -> None:
    envelope = json.loads(statement)
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    assert envelope["signatures"] == []
    payload = payload_of(statement)
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["predicateType"] == "urn:prfpipe:evidence:v1"
    assert payload["subject"][0] == {"name": "art-05-tail/tail.md", "digest": {"sha256": sha256_hex(b"")}}


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
    found = {"plan.json": digest(b"plan"), **{name: digest(data) for name, data in files.items()}}
    assert read_statement(make_statement(found, PLAN, VERDICT, TIME)).files == found


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
    "an unsafe run id": lambda p: p["predicate"].update(run_id="../x"),
}  # fmt: skip


@pytest.mark.parametrize("edit", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_payload_is_refused_with(statement: bytes, edit: Edit) -> None:
    payload = payload_of(statement)
    edit(payload)
    with pytest.raises(BundleError, match=r"^statement\.dsse\.json"):
        read_statement(enveloped(canonical_json(payload)))


ENVELOPES: dict[str, Callable[[bytes], bytes]] = {
    "another payload type": lambda payload: enveloped(payload, payloadType="application/json"),
    "a signature that nobody checks": lambda payload: enveloped(payload, signatures=[{"keyid": "x", "sig": "eA=="}]),
    "an empty signature": lambda payload: enveloped(payload, signatures=[{}]),
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
    "a payload that is no text": lambda payload: enveloped(payload, payload=1),
    "an envelope with spaces": lambda payload: enveloped(payload).replace(b",", b", "),
    "an envelope with a newline": lambda payload: enveloped(payload) + b"\n",
    "a repeated key": lambda payload: b'{"payload":"",' + enveloped(payload)[1:],
    "nothing": lambda payload: b"",
    "a list": lambda payload: b"[]",
}


def replaced_json(data: bytes, edit: Edit) -> bytes:
    value = json.loads(data)
    edit(value)
    return canonical_json(value)


@pytest.mark.parametrize("make", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_an_envelope_is_refused_with(statement: bytes, make: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BundleError, match=r"^statement\.dsse\.json"):
        read_statement(make(canonical_json(payload_of(statement))))


def test_an_enormous_statement_is_not_parsed(monkeypatch: pytest.MonkeyPatch, statement: bytes) -> None:
    monkeypatch.setattr("prfpipe.attest.MAX_STATEMENT_BYTES", len(statement) - 1)
    with pytest.raises(BundleError, match="too many"):
        read_statement(statement)
