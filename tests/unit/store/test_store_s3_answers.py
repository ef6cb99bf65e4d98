"""Answers of an S3 server that make no sense, or are not whole."""

import pytest

from prfpipe.errors import StoreError
from prfpipe.store import Store
from tests import store_servers as s3
from tests.store_servers import FaultyS3
from tests.unit.store.test_store_s3_faults import FOR_EVER, connect


@pytest.fixture
def store(faulty: FaultyS3) -> Store:
    return connect(faulty.url)


def test_pages_are_put_together(credentials: None) -> None:
    with FaultyS3(page=3) as server:
        server.objects = {f"folder/{number:03}": b"x" for number in range(10)}
        server.fail("LIST", s3.answer(500, "InternalError"), times=2)
        assert [info.key for info in connect(server.url).list("folder")] == sorted(server.objects)


def test_a_looping_listing_is_refused(faulty: FaultyS3, store: Store) -> None:
    faulty.objects = {"a": b"", "b": b""}
    faulty.fail("LIST", s3.looping_page, times=FOR_EVER)
    with pytest.raises(StoreError, match="repeats itself") as caught:
        list(store.list())
    assert "run id" in caught.value.hint


def test_a_repeated_page_is_refused(credentials: None) -> None:
    with FaultyS3(page=2) as server:
        server.objects = dict.fromkeys("abcdef", b"")
        server.fail("LIST", s3.looping_page)
        with pytest.raises(StoreError, match="repeats itself"):
            list(connect(server.url).list())


def test_a_listing_that_stops_in_the_middle_is_refused(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("LIST", s3.page_without_pointer)
    with pytest.raises(StoreError, match="stops in the middle"):
        list(store.list())


def test_an_endless_listing_is_refused(faulty: FaultyS3, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prfpipe.store.s3_pages.MAX_PAGES", 5)
    faulty.fail("LIST", s3.looping_page, times=FOR_EVER)
    with pytest.raises(StoreError, match="does not end"):
        list(store.list())


@pytest.mark.parametrize("body", [b"", b"<html><body/></html>"], ids=["empty", "page"])
def test_a_server_that_is_no_s3_is_not_taken_for_an_empty_store(faulty: FaultyS3, store: Store, body: bytes) -> None:
    faulty.fail("LIST", s3.portal(body))
    with pytest.raises(StoreError, match="not a listing") as caught:
        list(store.list())
    assert "endpoint" in caught.value.hint


def test_a_listing_that_cannot_be_parsed_is_asked_for_again(faulty: FaultyS3, store: Store) -> None:
    faulty.objects = {"a": b""}
    faulty.fail("LIST", s3.portal(b"<ListBucketResult><IsTrunc"))
    assert [info.key for info in store.list()] == ["a"]
    faulty.fail("LIST", s3.portal(b"<ListBucketResult><IsTrunc"), times=FOR_EVER)
    with pytest.raises(StoreError):
        list(store.list())


def test_what_a_server_says_cannot_steer_the_terminal(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("GET", s3.answer(400, "Odd", "red \x9b31m alert " + "x" * 5000))
    with pytest.raises(StoreError) as caught:
        store.get("object")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


def test_errors_hold_no_secret(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("GET", s3.answer(403, "AccessDenied"))
    with pytest.raises(StoreError) as caught:
        store.get("object")
    assert s3.SECRET_KEY not in caught.value.message + caught.value.hint


WHOLE = "<Key>a</Key><Size>1</Size><LastModified>2026-11-23T08:15:00.000Z</LastModified>"


@pytest.mark.parametrize(
    "item",
    [
        WHOLE.replace("<Key>a</Key>", ""),
        WHOLE.replace("<Size>1</Size>", ""),
        WHOLE.replace("<Size>1</Size>", "<Size>many</Size>"),
        WHOLE[: WHOLE.index("<LastModified>")],
        WHOLE.replace("2026-11-23T08:15:00.000Z", "yesterday"),
    ],
    ids=["no-key", "no-size", "odd-size", "no-date", "odd-date"],
)
def test_an_object_of_a_listing_that_is_not_whole_is_a_clear_error(faulty: FaultyS3, store: Store, item: str) -> None:
    text = f"<ListBucketResult><IsTruncated>false</IsTruncated><Contents>{item}</Contents></ListBucketResult>"
    faulty.fail("LIST", s3.portal(text.encode()), times=FOR_EVER)
    with pytest.raises(StoreError) as caught:
        list(store.list())
    assert caught.value.hint
