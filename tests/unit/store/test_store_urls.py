"""Names of objects and of stores."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.errors import InputError, SettingsError
from prfpipe.store import check_key, is_key, open_store
from prfpipe.store.location import S3Location

UNSAFE_KEYS = [
    "",
    "..",
    "a/../b",
    "./a",
    "/absolute",
    "a//b",
    "a/",
    "nul\0",
    "back\\slash",
    "new\nline",
    "\x1b[31mred",
    ".hidden",
    "-option",
    "sp ace",
    "per%2e%2ecent",
    "‥/look-alike",
    "ｆull-width",
    "a" * 201,
    "a/" * 450 + "a",
    "C:",
    "final\n",
]


@pytest.mark.parametrize("key", UNSAFE_KEYS)
def test_unsafe_keys_are_refused(key: str) -> None:
    with pytest.raises(InputError, match="cannot name an object") as caught:
        check_key(key)
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("key", ["a", "evidence/v1/lev-01/run/art-01/report.json", "_x", "A.b-c_d", "a" * 200])
def test_plain_keys_are_accepted(key: str) -> None:
    assert check_key(key) == key


@given(st.text())
def test_an_accepted_key_stays_below_its_folder(key: str) -> None:
    if is_key(key):
        assert (Path("/root") / key).is_relative_to("/root")
        assert ".." not in key.split("/")


def test_a_folder_url_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for url in (
        "evidence",
        "./evidence",
        str(tmp_path / "evidence"),
        f"file://{tmp_path}/evidence",
        "~/evidence",
    ):
        assert open_store(url).url() == str(tmp_path / "evidence")


def test_a_file_url_may_hold_escaped_characters(tmp_path: Path) -> None:
    assert open_store(f"file://{tmp_path}/my%20evidence").url() == str(tmp_path / "my evidence")


def test_opening_a_folder_creates_nothing(tmp_path: Path) -> None:
    assert list(open_store(str(tmp_path / "evidence")).list()) == []
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        "nul\0",
        "ftp://host/folder",
        "http://host/bucket",
        "file://other-host/folder",
        "file:///",
        "file:///folder?x=1",
        "s3://",
        "s3://UPPER",
        "s3://ab",
        "s3://bucket/../prefix",
        "s3://bucket/sp ace",
        "s3://bucket#fragment",
        "s3://bucket?endpoint",
        "s3://bucket?endpoint=ftp://host",
        "s3://bucket?endpoint=host:9000",
        "s3://bucket?endpoint=http://[broken",
        "s3://bucket?region=not a region",
        "s3://bucket?unknown=1",
        "s3://bucket?region=a&region=b",
    ],
)
def test_what_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(url)
    assert caught.value.hint


@pytest.mark.parametrize("url", ["s3://key:secret@bucket", "s3://bucket?endpoint=http://key:secret@host"])
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="must not hold credentials") as caught:
        open_store(url)
    assert "secret" not in caught.value.message
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_an_s3_url_is_taken_apart_and_put_together() -> None:
    url = "s3://bucket/some/prefix?endpoint=http://127.0.0.1:9000&region=eu-west-1"
    location = S3Location.parse(url)
    assert location == S3Location("bucket", "some/prefix", "http://127.0.0.1:9000", "eu-west-1")
    assert location.url() == url
    assert location.url("key") == "s3://bucket/some/prefix/key?endpoint=http://127.0.0.1:9000&region=eu-west-1"
    assert S3Location.parse("s3://bucket/").url("key") == "s3://bucket/key"
