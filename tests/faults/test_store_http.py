"""A bundle goes to an S3 server and comes back, by http and by https, while the server fails in every way."""

import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

import pytest

from prfpipe.errors import StoreError, StoreUnavailableError
from prfpipe.layout import STATEMENT
from prfpipe.store.base import Unfinished
from prfpipe.store.evidence import list_bundles
from prfpipe.store.location import S3Location
from prfpipe.store.s3 import S3Store
from tests import store_servers as s3
from tests.support import bundles
from tests.support.fault_http import IMPATIENT, QUICK, Trip, every_fault, requests_of, suffer
from tests.support.fault_server import CASES, FOR_EVER, serving

EVERY = 83
"""One fault at one request of so many is tried here; `make reliability` tries all of them."""

CURED = [
    "500", "502", "503 SlowDown", "429", "connection closed", "stored, answer lost", "stored, answered 500", "409",
    "412, same content", "conditions ignored", "conditions unknown", "wrong ETag", "checksum refused",
]  # fmt: skip
"""What a second look or a second try makes good, if it happens once."""
LASTING = {
    "500": "answered 500", "503 SlowDown": "answered 503", "429": "answered 429", "hang": "cut off",
    "one byte a second": "cut off", "connection closed": "connection broke", "expired credentials": "ExpiredToken",
    "no access": "AccessDenied", "clock skew": "RequestTimeTooSkewed", "missing bucket": "NoSuchBucket",
    "409": "answered 409", "412, other content": "other content", "412, nothing there": "PreconditionFailed",
    "partial upload taken as complete": "came back", "partial upload, connection closed": "other content",
    "upload damaged": "came back", "upload lost": "NoSuchKey", "checksum refused": "BadDigest",
    "storage full": "StorageFull",
}  # fmt: skip
"""What a person is told if it goes on at every upload: words of the message."""


def over_one_or_the_other(names: Iterable[str]) -> pytest.MarkDecorator:
    """Each fault over http or https, in turn: where they differ is in connections; `make reliability` tries both."""
    pairs = sorted(zip(cycle(["http", "https"]), names))  # a server is started for each change
    return pytest.mark.parametrize(("_trip", "name"), pairs, indirect=["_trip"])


@over_one_or_the_other(CURED)
def test_what_goes_wrong_once_is_made_good_within_the_same_command(trip: Trip, name: str) -> None:
    trip.server.fail_at(3, CASES[name].fault)
    trip.send()
    assert trip.bring() == trip.expected


@over_one_or_the_other(LASTING)
def test_what_goes_on_ends_with_one_message_and_later_the_same_command_completes(trip: Trip, name: str) -> None:
    trip.server.fail_at(3, CASES[name].fault, FOR_EVER)
    with pytest.raises(StoreError, match=LASTING[name]) as caught:
        trip.send(IMPATIENT if CASES[name].slow else QUICK)
    assert caught.value.hint
    outcome = suffer(trip, name, 3, FOR_EVER)
    assert outcome.problem == ""


@over_one_or_the_other(["body shorter than its length", "flipped byte", "404 after put"])
def test_what_is_read_wrongly_once_is_read_again(trip: Trip, name: str) -> None:
    first_read_back = 4
    trip.server.fail_at(first_read_back, CASES[name].fault)
    trip.send()
    assert trip.bring() == trip.expected


@over_one_or_the_other(["body shorter than its length", "body longer than the object", "flipped byte"])
def test_what_is_always_read_wrongly_is_never_taken_for_the_bundle(trip: Trip, name: str) -> None:
    trip.send()
    trip.server.fail_at(len(trip.server.seen) + 1, s3.answer(500, "InternalError"))
    trip.server.fail("GET", CASES[name].fault, FOR_EVER)
    with pytest.raises((StoreError, bundles.BundleError)):
        trip.bring()


def test_one_fault_at_one_request_never_costs_a_bundle(trip: Trip) -> None:
    tries = islice(every_fault(trip), 0, None, EVERY)
    wrong = [outcome for outcome in (suffer(trip, *one) for one in list(tries)) if outcome.problem]
    assert wrong == []


def test_every_request_of_sending_and_bringing_is_reached(trip: Trip) -> None:
    kinds = requests_of(trip)
    assert {number for _, number, _ in every_fault(trip)} == set(range(1, len(kinds) + 1))
    assert {name for name, _, _ in every_fault(trip)} >= CASES.keys() - {"looping page", "page without the next"}


# ---- connections ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_leaves_the_bundle_here_and_says_so(tmp_path: Path, scheme: str) -> None:
    with serving(scheme, tmp_path) as server:
        trip = Trip.of(tmp_path / "runs", server)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        store = _at(f"{scheme}://127.0.0.1:{port}")
        with pytest.raises(StoreUnavailableError, match="nothing answers"):
            store.put("object", b"x", bundles.sha256_hex(b"x"))
        trip.send()
        assert trip.bring() == trip.expected


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_that_is_not_resolved_is_said(tmp_path: Path, scheme: str) -> None:
    with serving(scheme, tmp_path), pytest.raises(StoreUnavailableError, match="name cannot be resolved"):
        _at(f"{scheme}://nowhere.invalid:9000").get("object")


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("https", tmp_path) as server:
        trip = Trip.of(tmp_path / "runs", server)
        monkeypatch.delenv("AWS_CA_BUNDLE")
        with pytest.raises(StoreUnavailableError, match="no trusted TLS connection") as caught:
            trip.send()
        assert "AWS_CA_BUNDLE" in caught.value.hint
        assert server.objects == {}


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    with serving("https", tmp_path) as server:
        store = _at(server.endpoint.replace("127.0.0.1", "localhost"))
        with pytest.raises(StoreUnavailableError, match="no trusted TLS connection"):
            store.get("object")


def test_plain_http_to_an_encrypted_server_ends_with_a_message(tmp_path: Path) -> None:
    with serving("https", tmp_path) as server, pytest.raises(StoreError) as caught:
        _at(server.endpoint.replace("https:", "http:")).get("object")
    assert caught.value.hint


def _at(endpoint: str) -> S3Store:
    return S3Store(S3Location.parse(f"s3://bucket?endpoint={endpoint}"), QUICK)


# ---- after and between ----------------------------------------------------------------------------------


def test_credentials_that_expire_in_the_middle_lose_nothing(trip: Trip) -> None:
    trip.server.fail_at(7, CASES["expired credentials"].fault, FOR_EVER)
    with pytest.raises(StoreError, match="ExpiredToken") as caught:
        trip.send()
    assert "Renew the credentials" in caught.value.hint
    assert list(list_bundles(trip.store(QUICK))) == [], "nothing is committed"
    sent = dict(trip.server.objects)
    assert sent
    trip.server.fault = None
    trip.send()
    assert trip.bring() == trip.expected
    assert sent.items() <= trip.server.objects.items(), "what had arrived was not sent again"


def test_an_object_deleted_after_archiving_is_named_and_archiving_again_puts_it_back(trip: Trip) -> None:
    trip.send()
    [deleted] = [key for key in trip.server.objects if key.endswith("/plan.json")]
    del trip.server.objects[deleted]
    with pytest.raises(StoreError, match=r"plan\.json"):
        trip.bring()
    trip.send()
    assert trip.bring() == trip.expected


def test_a_statement_deleted_after_archiving_takes_the_bundle_out_of_the_list_and_archiving_brings_it_back(
    trip: Trip,
) -> None:
    trip.send()
    [deleted] = [key for key in trip.server.objects if key.endswith(STATEMENT)]
    del trip.server.objects[deleted]
    assert list(list_bundles(trip.store(QUICK))) == []
    trip.send()
    assert [ref.run_id for ref in list_bundles(trip.store(QUICK))] == [bundles.RUN_ID]


@over_one_or_the_other(["looping page", "page without the next", "another web server"])
def test_a_listing_that_is_not_whole_is_an_error_and_not_a_shorter_list(trip: Trip, name: str) -> None:
    trip.send()
    trip.server.fail("LIST", CASES[name].fault, FOR_EVER)
    with pytest.raises(StoreError) as caught:
        list(list_bundles(trip.store(QUICK)))
    assert caught.value.hint


def test_a_page_that_is_missing_hides_a_bundle_from_the_list_and_not_from_its_name(trip: Trip) -> None:
    trip.send()
    objects = dict(trip.server.objects)

    def nothing_there(handler: s3.S3Handler) -> bool:
        handler.send_page([])
        return True

    trip.server.fail("LIST", nothing_there, FOR_EVER)
    assert list(list_bundles(trip.store(QUICK))) == []
    assert trip.bring() == trip.expected
    assert trip.server.objects == objects


def test_pages_of_one_object_are_put_together(trip: Trip) -> None:
    trip.send()
    trip.server.page = 1
    try:
        assert [ref.run_id for ref in list_bundles(trip.store(QUICK))] == [bundles.RUN_ID]
    finally:
        trip.server.page = 1000


def test_a_leftover_upload_in_parts_harms_nobody_and_one_that_is_gone_is_no_error(trip: Trip) -> None:
    trip.send()
    trip.server.fail("DELETE", s3.answer(404, "NoSuchUpload"))
    trip.store(QUICK).discard(Unfinished("evidence/v1/x", "upload-1", 0, datetime(2026, 11, 23, tzinfo=UTC)))
    assert trip.bring() == trip.expected
