"""Two valid bundles in memory."""

from pathlib import Path

import pytest

from tests.attacks.sealed import valid_bundles
from tests.support.fault_audit import audited

Files = dict[str, bytes]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files]:
    """Two valid bundles of one lever, of different runs."""
    found = valid_bundles(tmp_path_factory.mktemp("bundles"))
    assert all(audited(files).accepted for files in found)
    return found


@pytest.fixture(scope="session")
def sealed(pair: tuple[Files, Files]) -> Files:
    """A valid bundle."""
    return pair[0]


@pytest.fixture
def folder(sealed: Files, tmp_path: Path) -> Path:
    """A valid bundle on the disk."""
    for name, data in sealed.items():
        path = tmp_path / "bundle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "bundle"
