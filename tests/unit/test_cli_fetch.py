"""`prfpipe fetch`: into a folder, and links to the report."""

from hashlib import sha256
from pathlib import Path

import pytest

from prfpipe.errors import StoreUnavailableError
from prfpipe.store.directory import DirectoryStore
from tests.support import sealed
from tests.support.commands import prfpipe
from tests.support.sealed import FIRST, SECOND


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for run_id in (FIRST, SECOND):
        sealed.put("evidence", run_id)
    return tmp_path


def test_without_a_name_the_folder_is_called_like_the_run() -> None:
    assert prfpipe("fetch", "latest", "--json").document["folder"] == str(Path(SECOND).absolute())
    assert prfpipe("audit", f"./{SECOND}").code == 0


def test_a_fetch_that_was_interrupted_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    download, done = DirectoryStore.download, []

    def breaks(self: DirectoryStore, key: str, to: Path, digest: str, size: int) -> None:
        if len(done) == 5:
            raise StoreUnavailableError("the plug was pulled", hint="Put it in again.")
        done.append(key)
        download(self, key, to, digest, size)

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "download", breaks)
        broken = prfpipe("fetch", FIRST, "--to", "copy")
    assert (broken.code, broken.out) == (4, "")
    assert "the same fetch again verifies it and goes on" in broken.err
    copied = list(done)

    def counts(self: DirectoryStore, key: str, to: Path, digest: str, size: int) -> None:
        done.append(key)
        download(self, key, to, digest, size)

    monkeypatch.setattr(DirectoryStore, "download", counts)
    assert prfpipe("fetch", FIRST, "--to", "copy").code == 0
    assert not set(copied) & set(done[5:])
    assert prfpipe("audit", "copy").code == 0


def test_the_progress_names_files_and_shares() -> None:
    done = prfpipe("fetch", FIRST, "--to", "copy")
    assert "fetch: " in done.err
    assert "0%" in done.err


def test_a_link_comes_with_the_digest_that_the_report_must_have() -> None:
    document = prfpipe("fetch", FIRST, "--link", "--json").document
    report = Path(document["link"])
    assert report == Path("evidence/evidence/v1/lev-01", FIRST, "report.html").absolute()
    assert document["sha256"] == sha256(report.read_bytes()).hexdigest()
    assert document["sha256"] in prfpipe("fetch", "latest", "--link").out or document["run_id"] == FIRST
    assert not Path(FIRST).exists()


@pytest.mark.parametrize("span", ["soon", "1", "7w", "-1d", "1.5h", ""])
def test_a_span_that_is_none_is_refused(span: str) -> None:
    done = prfpipe("fetch", FIRST, "--link", f"--expires={span}")
    assert done.code == 2
    assert "is not a span of time" in done.err
    assert "7d, 12h, 30m" in done.err


def test_a_link_to_s3_is_good_for_a_week_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    from prfpipe.store.s3 import S3Store

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    statement = Path("evidence/evidence/v1/lev-01", FIRST, "statement.dsse.json").read_bytes()
    monkeypatch.setattr(S3Store, "exists", lambda *_: True)
    monkeypatch.setattr(S3Store, "get", lambda *_, **__: statement)
    done = prfpipe("fetch", FIRST, "--link", "--expires", "8d", "--store", "s3://bucket")
    assert done.code == 2
    assert "at most 7 days" in done.err
    link = prfpipe("fetch", FIRST, "--link", "--expires", "2d", "--store", "s3://bucket", "--json").document["link"]
    assert "X-Amz-Expires=172800" in link
    assert "secret" not in link
