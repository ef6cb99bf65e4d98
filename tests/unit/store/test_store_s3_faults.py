"""What can go wrong between us and an S3 server."""

import socket
import time
from pathlib import Path

import pytest

from prfpipe.digests import sha256_hex
from prfpipe.errors import (
    AlreadyExistsError,
    IntegrityError,
    NotFoundError,
    StoreError,
    StoreUnavailableError,
)
from prfpipe.store import Store
from prfpipe.store.deadline import Limits
from prfpipe.store.location import S3Location
from prfpipe.store.s3 import S3Store
from tests import store_servers as s3
from tests.store_servers import FaultyS3

DATA = b"data" * 1000
DIGEST = sha256_hex(DATA)
FOR_EVER = 1000
QUICK = Limits(connect=10, read=10, total=60, pauses=(0.01, 0.02, 0.03))
TRIES = 1 + len(QUICK.pauses)
IMPATIENT = Limits(connect=2, read=2, total=0.5, pauses=(0.01,))


def connect(url: str, limits: Limits = QUICK) -> Store:
    return S3Store(S3Location.parse(url), limits)


@pytest.fixture
def store(faulty: FaultyS3) -> Store:
    return connect(faulty.url)


def test_no_folder_is_lost_between_pages_whatever_it_is_called(faulty: FaultyS3, store: Store) -> None:
    """`lev-01-b/` comes before `lev-01/`, on a page of its own."""
    faulty.page = 1
    for key in ("e/lev-01/x", "e/lev-01/y", "e/lev-01-b/x", "e/lev-010/x"):
        store.put(key, DATA, DIGEST)
    assert list(store.folders("e")) == ["lev-01-b", "lev-01", "lev-010"]


def test_an_object_has_the_time_that_its_size_takes(faulty: FaultyS3) -> None:
    """A second for the answer, and one for each kilobyte that was asked for."""

    def slow(handler: s3.S3Handler) -> bool:
        time.sleep(1.5)
        return False

    store = connect(faulty.url, Limits(connect=5, read=5, total=1.0, bytes_per_second=1000, pauses=()))
    store.put("object", DATA, DIGEST)
    faulty.fail("GET", slow, times=2)
    assert store.get("object", DIGEST, max_bytes=len(DATA)) == DATA
    with pytest.raises(StoreUnavailableError, match="so it was cut off"):
        store.get("object")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_busy_server_is_asked_again(faulty: FaultyS3, store: Store, status: int) -> None:
    for kind in ("GET", "PUT", "HEAD", "LIST", "DELETE"):
        faulty.fail(kind, s3.answer(status, "SlowDown"), times=2)
    store.put("object", DATA, DIGEST)
    assert store.get("object", DIGEST) == DATA
    assert store.exists("object")
    assert [info.key for info in store.list()] == ["object"]
    store.delete("object")
    assert faulty.objects == {}


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "SlowDown"), (599, "Whatever")])
def test_a_server_that_never_recovers_is_given_up(faulty: FaultyS3, store: Store, status: int, code: str) -> None:
    faulty.fail("PUT", s3.answer(status, code), times=FOR_EVER)
    with pytest.raises(StoreUnavailableError, match=f"{status} {code}") as caught:
        store.put("object", DATA, DIGEST)
    assert "goes on where it stopped" in caught.value.hint
    assert faulty.seen.count("PUT") == TRIES


@pytest.mark.parametrize(
    "start", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"], ids=["in-headers", "in-body"]
)
def test_a_byte_at_a_time_is_cut_off(faulty: FaultyS3, tmp_path: Path, start: bytes) -> None:
    faulty.objects["object"] = DATA
    for kind in ("GET", "PUT", "LIST"):
        faulty.fail(kind, s3.drip(start), times=FOR_EVER)
    store = connect(faulty.url, IMPATIENT)
    with pytest.raises(StoreUnavailableError, match="cut off") as caught:
        store.get("object", DIGEST)
    assert "hangs" in caught.value.hint
    with pytest.raises(StoreUnavailableError, match="cut off"):
        list(store.list())
    with pytest.raises(StoreUnavailableError, match="cut off"):
        store.download("object", tmp_path / "copy", DIGEST, 10)
    assert not (tmp_path / "copy").exists()


def test_a_silent_server_times_out(faulty: FaultyS3) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        store = connect(f"s3://bucket?endpoint=http://127.0.0.1:{port}", Limits(read=0.1, total=60, pauses=(0.01,)))
        with pytest.raises(StoreUnavailableError, match="no answer in time"):
            store.get("object")


def test_nothing_listening_is_named(credentials: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    store = connect(f"s3://bucket?endpoint=http://127.0.0.1:{port}")
    with pytest.raises(StoreUnavailableError, match="nothing answers") as caught:
        store.put("object", DATA, DIGEST)
    assert "Start the server" in caught.value.hint


def test_an_unknown_host_is_named(credentials: None) -> None:
    store = connect("s3://bucket?endpoint=http://nowhere.invalid:9000")
    with pytest.raises(StoreUnavailableError, match="name cannot be resolved") as caught:
        store.get("object")
    assert "DNS" in caught.value.hint


def test_a_failing_tls_handshake_is_named(faulty: FaultyS3) -> None:
    store = connect(faulty.url.replace("http:", "https:"))
    with pytest.raises(StoreUnavailableError, match="TLS") as caught:
        store.get("object")
    assert "certificate" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "AccessDenied", "s3:PutObject"),
        (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        (400, "ExpiredToken", "Renew"),
        (403, "RequestTimeTooSkewed", "clock"),
        (301, "PermanentRedirect", "region"),
        (507, "XMinioStorageFull", "Make room"),
        (400, "SomethingNew", "store probe"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_repeated(
    faulty: FaultyS3, store: Store, status: int, code: str, hint: str
) -> None:
    faulty.fail("PUT", s3.answer(status, code), times=FOR_EVER)
    with pytest.raises(StoreError, match=code) as caught:
        store.put("object", DATA, DIGEST)
    assert type(caught.value) is StoreError
    assert hint in caught.value.hint
    assert faulty.seen.count("PUT") == 1


def test_a_person_without_credentials_is_told(no_credentials: None) -> None:
    store = connect("s3://bucket?endpoint=http://127.0.0.1:9")
    with pytest.raises(StoreError, match="credentials") as caught:
        store.get("object")
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_an_unknown_profile_is_told(no_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreError, match="nobody") as caught:
        connect("s3://bucket")
    assert "AWS_PROFILE" in caught.value.hint


def test_a_missing_bucket_is_not_a_missing_object(faulty: FaultyS3, tmp_path: Path) -> None:
    store = connect(faulty.url.replace("bucket", "no-such-bucket"))
    for use in (
        lambda: store.put("object", DATA, DIGEST),
        lambda: store.get("object"),
        lambda: store.download("object", tmp_path / "copy", DIGEST, 1),
        lambda: store.exists("object"),
    ):
        with pytest.raises(StoreError, match=r"NoSuchBucket|no bucket") as caught:
            use()
        assert not isinstance(caught.value, NotFoundError)
        assert "Create the bucket" in caught.value.hint


def test_a_real_server_names_its_missing_bucket_and_wrong_secret(
    rclone: tuple[str, Path], credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="NoSuchBucket"):
        list(connect(f"s3://no-such-bucket?endpoint={rclone[0]}").list())
    with pytest.raises(StoreError, match="no bucket no-such-bucket"):
        connect(f"s3://no-such-bucket?endpoint={rclone[0]}").exists("object")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreError, match="SignatureDoesNotMatch"):
        list(connect(f"s3://bucket?endpoint={rclone[0]}").list())


def test_a_body_cut_short_once_is_read_again(faulty: FaultyS3, store: Store, tmp_path: Path) -> None:
    faulty.objects["object"] = DATA
    faulty.fail("GET", s3.cut_short)
    assert store.get("object", DIGEST) == DATA
    faulty.fail("GET", s3.cut_short)
    store.download("object", tmp_path / "copy", DIGEST, len(DATA))
    assert (tmp_path / "copy").read_bytes() == DATA


def test_a_body_always_cut_short_is_never_taken_for_whole(faulty: FaultyS3, store: Store, tmp_path: Path) -> None:
    faulty.objects["object"] = DATA
    faulty.fail("GET", s3.cut_short, times=FOR_EVER)
    with pytest.raises(StoreUnavailableError, match="connection broke"):
        store.get("object")
    with pytest.raises(StoreUnavailableError, match="connection broke"):
        store.download("object", tmp_path / "copy", DIGEST, len(DATA))
    assert not (tmp_path / "copy").exists()


def test_a_byte_flipped_once_is_read_again(faulty: FaultyS3, store: Store) -> None:
    faulty.objects["object"] = DATA
    faulty.fail("GET", s3.flip_byte)
    assert store.get("object", DIGEST) == DATA


def test_a_byte_flipped_always_is_refused(faulty: FaultyS3, store: Store, tmp_path: Path) -> None:
    faulty.objects["object"] = DATA
    faulty.fail("GET", s3.flip_byte, times=FOR_EVER)
    with pytest.raises(IntegrityError, match="came back"):
        store.get("object", DIGEST)
    with pytest.raises(IntegrityError, match="came back"):
        store.download("object", tmp_path / "copy", DIGEST, len(DATA))
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("fault", [s3.damage_upload, s3.keep_half], ids=["damaged", "partial"])
def test_an_upload_that_is_not_kept_whole_is_noticed(faulty: FaultyS3, store: Store, fault: s3.Fault) -> None:
    faulty.fail("PUT", fault)
    with pytest.raises(IntegrityError, match="came back"):
        store.put("object", DATA, DIGEST)


def test_bytes_damaged_on_their_way_are_sent_again(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.answer(400, "BadDigest"))
    store.put("object", DATA, DIGEST)
    assert faulty.objects == {"object": DATA}


def test_a_wrong_etag_is_ignored(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.wrong_etag)
    store.put("object", DATA, DIGEST)
    assert store.get("object", DIGEST) == DATA


def test_an_object_not_found_right_after_its_put_is_waited_for(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("GET", s3.answer(404, "NoSuchKey"), times=3)
    store.put("object", DATA, DIGEST)
    assert faulty.seen == ["GET", "PUT", "GET", "GET", "GET"]


def test_an_object_that_never_appears_is_not_taken_for_stored(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("GET", s3.answer(404, "NoSuchKey"), times=FOR_EVER)
    with pytest.raises(NotFoundError):
        store.put("object", DATA, DIGEST)


def test_an_answer_lost_after_storing_is_made_good(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.keep_and_hang_up)
    store.put("object", DATA, DIGEST)
    assert faulty.seen.count("PUT") == 1, "it looks before it sends again"
    assert faulty.objects == {"object": DATA}


def test_a_rival_that_comes_after_a_lost_answer_is_not_overwritten(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.rival_and_hang_up(b"rival"))
    faulty.fail("PUT", s3.ignore_condition, times=FOR_EVER)
    with pytest.raises(AlreadyExistsError, match="other content"):
        store.put("object", DATA, DIGEST)
    assert faulty.objects == {"object": b"rival"}


def test_a_conflict_is_tried_again(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.answer(409, "ConditionalRequestConflict"))
    store.put("object", DATA, DIGEST)
    assert faulty.objects == {"object": DATA}


def test_a_rival_with_the_same_content_does_no_harm(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.rival(DATA))
    store.put("object", DATA, DIGEST)
    assert faulty.objects == {"object": DATA}


def test_a_rival_with_other_content_is_not_overwritten(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.rival(b"rival"))
    with pytest.raises(AlreadyExistsError, match="other content"):
        store.put("object", DATA, DIGEST)
    assert faulty.objects == {"object": b"rival"}


def test_existing_content_is_kept_where_conditions_are_ignored(faulty: FaultyS3, store: Store) -> None:
    faulty.objects["object"] = b"first"
    faulty.fail("PUT", s3.ignore_condition, times=FOR_EVER)
    with pytest.raises(AlreadyExistsError, match="other content"):
        store.put("object", DATA, DIGEST)
    assert faulty.objects == {"object": b"first"}
    assert "PUT" not in faulty.seen


def test_a_server_without_conditions_is_asked_without(faulty: FaultyS3, store: Store) -> None:
    faulty.fail("PUT", s3.no_condition, times=FOR_EVER)
    store.put("one", DATA, DIGEST)
    store.put("two", DATA, DIGEST)
    assert sorted(faulty.objects) == ["one", "two"]
    assert faulty.seen.count("PUT") == 3, "it is asked with the condition once only"


def test_all_steps_of_a_put_share_one_deadline(faulty: FaultyS3) -> None:
    """A look, a write and a read back that each take half of the time are too much together."""

    def slow(handler: s3.S3Handler) -> bool:
        handler.s3.closing.wait(0.7)
        return False

    for kind in ("GET", "PUT"):
        faulty.fail(kind, slow, times=FOR_EVER)
    store = connect(faulty.url, Limits(connect=5, read=5, total=1.2, pauses=(0.01,)))
    with pytest.raises(StoreUnavailableError, match="not finished after 1 s"):
        store.put("object", b"x", sha256_hex(b"x"))
