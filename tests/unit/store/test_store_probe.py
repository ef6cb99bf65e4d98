"""The probe finds out what a store guarantees, and leaves nothing behind."""

import socket
from pathlib import Path

import pytest

from prfpipe.errors import SettingsError, StoreUnavailableError
from prfpipe.store import Store
from prfpipe.store.deadline import Limits
from prfpipe.store.location import S3Location
from prfpipe.store.probe import ProbeReport, guarantees, guarantees_at, probe
from prfpipe.store.s3 import S3Store
from tests import store_servers as s3
from tests.store_servers import FaultyS3

FOR_EVER = 1000
WORDS = {True: "held", False: "not-held", None: "unknown"}


def results(report: ProbeReport) -> dict[str, bool | None]:
    return {finding.name: finding.result for finding in report.findings}


def connect(server: FaultyS3) -> Store:
    return S3Store(S3Location.parse(server.url), Limits(pauses=(0.01,)))


def test_both_stores_give_what_evidence_needs_and_are_left_clean(store: Store) -> None:
    report = probe(store)
    assert report.usable
    assert report.url == store.url()
    assert list(store.list()) == []
    assert all(finding.detail for finding in report.findings)


def test_a_server_that_honours_conditions_and_checksums_is_recognized(faulty: FaultyS3) -> None:
    assert results(probe(connect(faulty))) == {
        "read-after-write": True,
        "list-after-write": True,
        "delete-is-seen": True,
        "unusual-names": True,
        "conditional-create": True,
        "overwrite-refused": False,
        "wrong-checksum-refused": True,
        "paged-listing": True,
        "racing-writers": True,
        "clock": True,
        "versioning": None,
        "object-lock": False,
    }


def test_rclone_is_known_to_ignore_conditions(rclone: tuple[str, object], credentials: None) -> None:
    report = probe(S3Store(S3Location.parse(f"s3://bucket/probed?endpoint={rclone[0]}")))
    assert not results(report)["conditional-create"]
    assert not results(report)["overwrite-refused"]
    assert report.usable


@pytest.mark.parametrize("fault", [s3.ignore_condition, s3.no_condition], ids=["ignored", "refused"])
def test_conditions_that_do_not_hold_are_found_out(faulty: FaultyS3, fault: s3.Fault) -> None:
    faulty.fail("PUT", fault, times=FOR_EVER)
    report = probe(connect(faulty))
    assert results(report)["conditional-create"] is False
    assert report.usable, "conditions are welcome, not needed"


def test_a_store_that_forgets_is_not_usable(faulty: FaultyS3) -> None:
    faulty.fail("GET", lambda _: False, times=2)
    faulty.fail("GET", s3.answer(404, "NoSuchKey"), times=FOR_EVER)
    report = probe(connect(faulty))
    assert results(report)["read-after-write"] is False
    assert not report.usable


def test_a_guarantee_that_cannot_be_found_out_is_neither_given_nor_denied(faulty: FaultyS3) -> None:
    faulty.fail("LIST", s3.answer(500, "InternalError"), times=FOR_EVER)
    report = probe(connect(faulty))
    assert results(report)["list-after-write"] is None
    assert not report.usable
    assert faulty.objects == {}


def test_racing_writers_that_are_all_let_in_are_found_out(faulty: FaultyS3) -> None:
    faulty.fail("PUT", s3.ignore_condition, times=FOR_EVER)
    [race] = [finding for finding in probe(connect(faulty)).findings if finding.name == "racing-writers"]
    assert race.result is False
    assert "8 of 8" in race.detail


def test_a_listing_that_repeats_its_pages_is_not_usable(faulty: FaultyS3) -> None:
    faulty.fail("LIST", lambda _: False)
    faulty.fail("LIST", s3.looping_page, times=FOR_EVER)
    report = probe(connect(faulty))
    assert not results(report)["paged-listing"]
    assert not report.usable


def test_nothing_new_is_tried_when_the_time_is_up(store: Store) -> None:
    report = probe(store, seconds=-1)
    assert set(results(report).values()) == {None}
    assert not report.usable
    assert report.guarantees.level == "unknown"
    assert list(store.list()) == []


# ---- the level that a statement records -------------------------------------------------------------------


def test_the_level_is_what_was_really_seen(store: Store) -> None:
    seen = guarantees(store)
    assert seen.kind == store.kind
    assert seen.level == {"directory": "write-once-enforced", "s3": "verified-by-digest"}[store.kind]
    assert seen.guarantees == {name: WORDS[result] for name, result in results(probe(store)).items()}


def test_a_bucket_that_honours_conditions_enforces_write_once(faulty: FaultyS3) -> None:
    assert guarantees(connect(faulty)).level == "write-once-enforced"


def test_a_store_that_forgets_is_unreliable(faulty: FaultyS3) -> None:
    faulty.fail("GET", lambda _: False, times=2)
    faulty.fail("GET", s3.answer(404, "NoSuchKey"), times=FOR_EVER)
    assert guarantees(connect(faulty)).level == "unreliable"


def test_a_store_that_cannot_be_reached_is_unknown_and_no_error(credentials: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"s3://bucket?endpoint=http://127.0.0.1:{port}"
    seen = guarantees(S3Store(S3Location.parse(url), Limits(pauses=(0.01,))))
    assert (seen.kind, seen.level, seen.guarantees) == ("s3", "unknown", {})


def test_a_store_that_hangs_is_left_alone_after_its_time(faulty: FaultyS3) -> None:
    faulty.fail("PUT", s3.drip(b"H"), times=FOR_EVER)
    seen = guarantees(S3Store(S3Location.parse(faulty.url)), seconds=0.3)
    assert (seen.level, seen.guarantees) == ("unknown", {})


def test_a_store_that_does_not_answer_is_an_error_not_a_report(faulty: FaultyS3) -> None:
    faulty.fail("PUT", s3.answer(503, "SlowDown"), times=FOR_EVER)
    with pytest.raises(StoreUnavailableError, match="SlowDown"):
        probe(connect(faulty))


def test_sealing_gets_a_word_for_every_store(
    tmp_path: Path, no_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guarantees_at(str(tmp_path)).level == "write-once-enforced"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    seen = guarantees_at("s3://bucket?endpoint=http://127.0.0.1:9")
    assert (seen.kind, seen.level) == ("s3", "unknown")
    with pytest.raises(SettingsError):
        guarantees_at("gopher://x")
