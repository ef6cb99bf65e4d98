"""Servers that fail, over http and https, each with a bundle to send."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_http import Trip
from tests.support.fault_server import serving


@pytest.fixture(scope="module", params=["http", "https"])
def _trip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trip]:
    folder = tmp_path_factory.mktemp(request.param)
    with serving(request.param, folder) as server:
        yield Trip.of(folder / "runs", server)


@pytest.fixture
def trip(_trip: Trip, monkeypatch: pytest.MonkeyPatch) -> Trip:
    """A bundle and a server that is well and empty."""
    _trip.server.reset()
    for name, value in _trip.server.environment.items():
        monkeypatch.setenv(name, value)
    return _trip
