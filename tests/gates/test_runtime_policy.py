"""Who may do what: denials, revocations and rollbacks take effect although decisions are remembered."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cedarpy
import pytest

from gates.runtime import publisher
from gates.runtime.errors import ConfigError, DeniedError, ForgedError, TamperedError
from gates.runtime.policy import Policy
from tests.support.runtimes import EVENT, POLICIES, RAN, ROOT, SUSPENDED, TRACE, Start, recorded


@pytest.mark.parametrize("by", ["stranger", "", "Host"])
def test_who_is_not_vetted_is_denied_and_the_denial_is_on_record(state: Path, start: Start, by: str) -> None:
    with pytest.raises(DeniedError, match="may not schedule"):
        start().perform("scheduler", TRACE, by)
    assert recorded(state)[-1]["fault"] == "DeniedError"


def test_a_revoked_policy_denies_what_it_allowed_a_moment_before(state: Path, start: Start) -> None:
    runtime = start()
    assert runtime.perform("scheduler", TRACE, "redact_1") == RAN
    publisher.publish(
        state, POLICIES.replace('@id("vetted-schedule")\npermit(', '@id("vetted-schedule")\nforbid('), epoch=2
    )
    runtime.renew()
    with pytest.raises(DeniedError, match="policy epoch 2"):
        runtime.perform("scheduler", TRACE, "redact_1")


def test_an_extension_that_is_suspended_gets_no_further_event(state: Path, start: Start) -> None:
    runtime = start()
    for name in ("redact_1", "tally_1"):
        runtime.extensions.add(name)
    assert runtime.extensions.dispatch(EVENT) == ["saved", "hello"]
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)
    runtime.renew()
    assert runtime.extensions.dispatch(EVENT) == ["saved"]
    with pytest.raises(DeniedError):
        runtime.perform("scheduler", TRACE, "redact_1")


def test_a_policy_that_is_not_newer_does_not_come_into_force(state: Path, start: Start) -> None:
    publisher.publish(state, POLICIES + SUSPENDED, epoch=5)
    runtime = start()
    with pytest.raises(DeniedError):
        runtime.extensions.add("redact_1")
    for epoch in (4, 5):
        publisher.publish(state, POLICIES, epoch=epoch)
        with pytest.raises(ForgedError):
            runtime.renew()
    with pytest.raises(DeniedError):
        runtime.extensions.add("redact_1")


def test_an_older_trust_state_put_back_keeps_the_runtime_from_starting(state: Path, start: Start) -> None:
    old = (state / "trust" / "manifest").read_bytes()
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)
    runtime = start()
    runtime.perform("scheduler", TRACE, "tally_1")
    runtime.close()
    (state / "trust" / "manifest").write_bytes(old)
    (state / "trust" / "policies.cedar").write_text(POLICIES, encoding="utf-8")
    with pytest.raises(ForgedError, match="policy epoch 1, 2 was in force"):
        start()


def test_an_update_that_was_tampered_with_leaves_the_old_policy_in_force(state: Path, start: Start) -> None:
    runtime = start()
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)
    (state / "trust" / "policies.cedar").write_text(POLICIES, encoding="utf-8")
    with pytest.raises(TamperedError):
        runtime.renew()
    assert runtime.perform("scheduler", TRACE, "redact_1") == RAN


def test_an_update_that_cannot_be_read_leaves_the_old_policy_in_force(state: Path, start: Start) -> None:
    runtime = start()
    publisher.publish(state, "permit(", epoch=2)
    with pytest.raises(ConfigError, match="the policy of epoch 2 cannot be read"):
        runtime.renew()
    assert runtime.perform("scheduler", TRACE, "redact_1") == RAN
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)
    runtime.renew()
    with pytest.raises(DeniedError, match="policy epoch 2"):
        runtime.perform("scheduler", TRACE, "redact_1")


@pytest.mark.parametrize(
    "entities", [b"\xff", b"", b"{}", b"[1]", b'[{"uid": {"id": "x"}, "attrs": {}, "parents": []}]']
)
def test_an_update_whose_entities_cannot_be_read_never_was_in_force(state: Path, start: Start, entities: bytes) -> None:
    runtime, before = start(), (state / "trust" / "manifest").read_bytes()
    place = state / "trust" / "entities.json"
    good = place.read_bytes()
    place.write_bytes(entities)
    publisher.publish(state, POLICIES, epoch=2)
    with pytest.raises(ConfigError):
        runtime.renew()
    assert runtime.perform("scheduler", TRACE, "redact_1") == RAN
    runtime.close()
    place.write_bytes(good)
    (state / "trust" / "manifest").write_bytes(before)
    assert start().perform("scheduler", TRACE, "redact_1") == RAN


def test_an_epoch_that_no_manifest_tells_is_counted(state: Path, start: Start) -> None:
    runtime = start(instruments=("policy", "audit"))
    runtime.renew()
    assert recorded(state)[-1] == {"event": "policy", "epoch": 1}


@pytest.mark.parametrize("item", [None, 7, "principal", ["principal"], {}, {"at": 1 << 70}, {"who": "\ud800"}])
def test_an_item_that_means_nothing_is_answered_and_on_record(state: Path, start: Start, item: object) -> None:
    pytest.importorskip("orjson")
    (answer,) = start().perform("policies", {"items": [item]}, "redact_1")["answers"]
    event = recorded(state)[-1]
    assert (event["items"], event["answers"]) == ([item], json.loads(json.dumps([answer])))


def test_a_batch_that_fails_in_the_middle_is_on_record_with_what_it_has_changed(state: Path, start: Start) -> None:
    pytest.importorskip("orjson")
    runtime = start()
    items: list[Any] = [{"policies": {"put": {"anyone": "permit(principal, action, resource);"}}}, {"grant": 5}]
    with pytest.raises(TypeError):
        runtime.perform("policies", {"items": items}, "redact_1")
    asked, failed = recorded(state)
    assert (asked["event"], asked["items"]) == ("asked", items)
    assert (failed["event"], failed["fault"]) == ("failed", "TypeError")


@pytest.mark.parametrize("operation", [{"mix": []}, {"mix": [["crc32", 64]], "script": [["call", 0, 32]]}])
def test_host_calls_that_are_not_named_are_denied(state: Path, operation: dict[str, Any]) -> None:
    """In a process of its own: the engine is loaded once in a process, and stays."""
    asked = {"seed": 1, "calls": 1, "tableBytes": 1024, **operation}
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from gates.runtime.core import Runtime
state = Path({str(state)!r})
Runtime.start(state / "config.json", state).perform("hostcalls", {asked!r}, "host")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "DeniedError: host may ask for host calls by their names only" in ended.stderr
    assert recorded(state)[-1]["fault"] == "DeniedError"


def test_a_decision_is_asked_for_once_an_epoch(state: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    decide = cedarpy.is_authorized_batch

    def counted(requests: list[Any], *policy: Any) -> Any:
        asked.append(len(requests))
        return decide(requests, *policy)

    monkeypatch.setattr(cedarpy, "is_authorized_batch", counted)
    shipped = len(publisher.shipped_extensions())
    runtime = start()
    runtime.perform_all("scheduler", [TRACE] * 3, "redact_1")
    runtime.perform("scheduler", TRACE, "tally_1")
    with pytest.raises(DeniedError):
        runtime.perform("scheduler", TRACE, "stranger")
    assert asked == [shipped, 1]  # the extensions that the policy knows together; one that it does not know, alone
    publisher.publish(state, POLICIES, epoch=2)
    runtime.renew()
    runtime.perform("scheduler", TRACE, "redact_1")
    assert asked == [shipped, 1, shipped]


def test_principals_too_many_to_be_decided_at_once_are_decided_one_by_one() -> None:
    many = [{"uid": {"type": "Extension", "id": str(one)}, "attrs": {}, "parents": []} for one in range(100)]
    policy = Policy('permit(principal == Extension::"7", action, resource);', json.dumps(many), 1)
    what = ("schedule", ("Lanes", "scheduler"))
    assert policy.allows(("Extension", "7"), *what)
    assert not policy.allows(("Extension", "8"), *what)


def test_a_decision_made_with_others_is_the_one_made_alone() -> None:
    known = [
        {"uid": {"type": "Extension", "id": "plain"}, "attrs": {}, "parents": []},
        {"uid": {"__entity": {"type": "Extension", "id": "escaped"}}, "attrs": {}, "parents": []},
        {"uid": {"type": "Group", "id": "escaped"}, "attrs": {}, "parents": []},
    ]
    policy = Policy('permit(principal == Extension::"escaped", action, resource);', json.dumps(known), 1)
    asked = [("Extension", "plain"), ("Extension", "escaped"), ("Group", "escaped"), ("Extension", "stranger")]
    assert [policy.allows(one, "schedule", ("Lanes", "scheduler")) for one in asked] == [False, True, False, False]


def test_a_policy_that_cannot_be_read_allows_nothing(state: Path, start: Start) -> None:
    publisher.publish(state, "permit(", epoch=1)
    with pytest.raises(ConfigError, match="cannot be read"):
        start().perform("scheduler", TRACE)
