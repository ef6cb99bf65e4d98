"""Clock, versions, locks, links and uploads in parts: what only S3 has."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest

from prfpipe.digests import sha256_hex
from prfpipe.errors import InputError, SettingsError, StoreError
from prfpipe.store import Store, open_store
from prfpipe.store.deadline import Limits
from prfpipe.store.location import S3Location
from prfpipe.store.probe import guarantees, probe
from prfpipe.store.s3 import S3Store
from tests import store_servers as s3
from tests.unit.store.bucket_servers import RichS3

LOCKED = "&lock=governance&days=30"
RULE = "<Mode>COMPLIANCE</Mode><Days>7</Days>"
DATA = b"evidence"


def connect(url: str) -> Store:
    return S3Store(S3Location.parse(url), Limits(pauses=(0.01,)))


@contextmanager
def bucket(**options: object) -> Iterator[RichS3]:
    with RichS3(**options) as server:  # type: ignore[arg-type]
        yield server


def found(store: Store) -> dict[str, bool | None]:
    return {finding.name: finding.result for finding in probe(store).findings}


# ---- locks ----------------------------------------------------------------------------------------------


def test_evidence_is_locked_for_as_long_as_the_url_says(credentials: None) -> None:
    with bucket(locks=True) as server:
        connect(server.url + LOCKED).put("evidence/v1/object", DATA, sha256_hex(DATA))
        mode, until = server.locked["evidence/v1/object"]
    assert mode == "GOVERNANCE"
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)


def test_a_bucket_without_locks_still_gets_the_evidence_and_the_person_a_note(
    credentials: None, caplog: pytest.LogCaptureFixture
) -> None:
    with bucket() as server:
        store = connect(server.url + LOCKED)
        for name in ("evidence/v1/one", "evidence/v1/two"):
            store.put(name, DATA, sha256_hex(DATA))
        assert sorted(server.objects) == ["evidence/v1/one", "evidence/v1/two"]
        assert server.locked == {}
    [note] = [record.message for record in caplog.records if "without retention" in record.message]
    assert note.startswith("s3://bucket/?")


def test_a_lock_that_holds_is_a_level_of_its_own(credentials: None) -> None:
    with bucket(locks=True) as server:
        seen = guarantees(connect(server.url + LOCKED))
    assert (seen.kind, seen.level, seen.guarantees["object-lock"]) == ("s3", "locked", "held")
    assert seen.guarantees["versioning"] == "held"


def test_a_lock_that_is_accepted_and_not_kept_is_found_out(credentials: None) -> None:
    with bucket(locks=True, locks_hold=False) as server:
        seen = guarantees(connect(server.url + LOCKED))
    assert (seen.level, seen.guarantees["object-lock"]) == ("write-once-enforced", "not-held")


def test_a_bucket_that_locks_by_itself_is_recognized(credentials: None) -> None:
    with bucket(locks=True, rule=RULE) as server:
        assert found(connect(server.url))["object-lock"] is True


def test_what_the_probe_writes_is_not_locked_for_long(credentials: None) -> None:
    with bucket(locks=True) as server:
        probe(connect(server.url + LOCKED))
        [(key, (_, until))] = server.locked.items()
    assert key.endswith("/locked")
    assert datetime.fromisoformat(until) - datetime.now(UTC) < timedelta(minutes=2)


@pytest.mark.parametrize(
    "query", ["lock=governance", "days=30", "lock=forever&days=1", "lock=compliance&days=0", "lock=compliance&days=x"]
)
def test_half_a_lock_is_refused(query: str) -> None:
    with pytest.raises(SettingsError, match="lock") as caught:
        open_store(f"s3://bucket?{query}")
    assert "lock=governance&days=365" in caught.value.hint


def test_the_stores_url_keeps_its_lock_and_an_objects_url_does_not() -> None:
    store = open_store("s3://bucket?endpoint=http://127.0.0.1:9&lock=compliance&days=3")
    assert store.url().endswith("&lock=compliance&days=3")
    assert "lock" not in store.url("object")
    assert open_store(store.url()).url() == store.url()


# ---- clock and versions ---------------------------------------------------------------------------------


def test_a_clock_that_is_hours_off_is_found_out(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with bucket() as server:
        assert found(connect(server.url))["clock"] is True
        monkeypatch.setattr(s3.S3Handler, "date_time_string", lambda *_: "Mon, 23 Nov 2020 08:15:00 GMT")
        [clock] = [finding for finding in probe(connect(server.url)).findings if finding.name == "clock"]
    assert clock.result is False
    assert "differs" in clock.detail


def test_traits_that_a_server_does_not_know_are_not_known(credentials: None) -> None:
    with bucket() as server:
        server.fail("HEAD", s3.answer(500, "InternalError"), times=1000)
        assert found(connect(server.url))["clock"] is None


# ---- uploads in parts -----------------------------------------------------------------------------------


def test_uploads_in_parts_below_the_prefix_are_found_and_aborted(credentials: None) -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    with bucket() as server:
        for id, key in (("1", "team/evidence/v1/a"), ("2", "other/evidence/v1/b"), ("3", "team/evidence/v1/c")):
            server.start_upload(id, key, day)
        store = connect(server.url.replace("bucket?", "bucket/team?"))
        left = list(store.unfinished("evidence/v1"))
        assert [(item.name, item.id, item.started) for item in left] == [
            ("team/evidence/v1/a", "1", day),
            ("team/evidence/v1/c", "3", day),
        ]
        for item in left:
            store.discard(item)
            store.discard(item)
        assert list(server.uploads) == ["2"]


def test_a_server_without_uploads_in_parts_has_none(credentials: None) -> None:
    with bucket() as server:
        server.fail("GET", s3.answer(501, "NotImplemented"))
        assert list(connect(server.url).unfinished()) == []


# ---- links ----------------------------------------------------------------------------------------------


def test_a_link_opens_the_object_without_credentials(rclone: tuple[str, Path], credentials: None) -> None:
    store = open_store(f"s3://bucket/linked?endpoint={rclone[0]}")
    store.put("report.html", DATA, sha256_hex(DATA))
    with urlopen(store.link("report.html", 60)) as answer:  # noqa: S310 - our own server
        assert answer.read() == DATA


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_a_link_is_good_for_a_week_at_most(credentials: None, seconds: int) -> None:
    with pytest.raises(InputError, match="at most 7 days"):
        open_store("s3://bucket?endpoint=http://127.0.0.1:9").link("report.html", seconds)


def test_a_link_needs_credentials(no_credentials: None) -> None:
    with pytest.raises(StoreError, match="credentials"):
        open_store("s3://bucket?endpoint=http://127.0.0.1:9").link("report.html", 60)


def test_a_folders_link_is_a_path(tmp_path: Path) -> None:
    assert open_store(str(tmp_path)).link("a/report.html", 60) == str(tmp_path / "a/report.html")
