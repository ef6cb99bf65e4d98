"""Runtimes for the tests of their instruments; skipped where the extra `gates` is not installed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.runtimes import Start


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state of a runtime that has never run."""
    from gates.runtime import publisher
    from tests.support.runtimes import EXTENSIONS

    publisher.install(tmp_path / "state", extensions=EXTENSIONS)
    return tmp_path / "state"


@pytest.fixture
def start(state: Path) -> "Iterator[Start]":
    """Starts runtimes on the state, and lets go of their logs in the end."""
    from gates.runtime.core import Runtime

    running: list[Runtime] = []

    def started(**options: Any) -> Runtime:
        running.append(Runtime.start(state / "config.json", state, workdir=state.parent, **options))
        return running[-1]

    yield started
    for runtime in running:
        runtime.guard.close()


@pytest.fixture
def project(state: Path) -> Path:
    """A signed project."""
    pytest.importorskip("tree_sitter")
    from tests.support.runtimes import make_project

    return make_project(state.parent / "project")


@pytest.fixture
def streams(state: Path) -> Path:
    """Signed streams of two runtimes."""
    pytest.importorskip("orjson")
    from tests.support.runtimes import make_streams

    return make_streams(state.parent / "streams")
