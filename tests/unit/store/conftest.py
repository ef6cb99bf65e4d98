"""Both stores, each with the folder where its objects can be seen and changed behind its back."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import botocore.session
import pytest

from prfpipe.store import Store, open_store
from tests.store_servers import ACCESS_KEY, BUCKET, SECRET_KEY, FaultyS3, rclone_s3

_NUMBERS = count()


@dataclass(frozen=True)
class Kept:
    """A store and where its objects are as files."""

    store: Store
    folder: Path

    def plant(self, key: str, data: bytes) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)


@pytest.fixture(scope="session", autouse=True)
def _read_service_models_once() -> Iterator[None]:
    """Each new client reads the same large JSON files, which would be most of the time of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("rclone")
    (folder / BUCKET).mkdir()
    with rclone_s3(folder) as endpoint:
        yield endpoint, folder / BUCKET


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    _no_other_credentials(monkeypatch, tmp_path)


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _no_other_credentials(monkeypatch, tmp_path)


def _no_other_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture(params=["directory", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """Each kind of store, empty; S3 is a real server."""
    if request.param == "directory":
        return Kept(open_store(str(tmp_path / "store")), tmp_path / "store")
    request.getfixturevalue("credentials")
    endpoint, folder = request.getfixturevalue("rclone")
    prefix = f"test-{next(_NUMBERS)}"
    return Kept(open_store(f"s3://{BUCKET}/{prefix}?endpoint={endpoint}"), folder / prefix)


@pytest.fixture
def store(kept: Kept) -> Store:
    return kept.store


@pytest.fixture
def faulty(credentials: None) -> Iterator[FaultyS3]:
    with FaultyS3() as server:
        yield server
