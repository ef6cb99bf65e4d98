"""One Prefect server a session, the template lever, and one evaluation by the flow that many tests look at."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from prfpipe.cli import run as prfpipe
from prfpipe.errors import StoreUnavailableError
from prfpipe.loop import closing
from tests.e2e.evaluations import SCENARIOS, at_home, own_environment
from tests.flows.deployment import Deployed, documented, run
from tests.flows.prefect_server import Server, prefect_server
from tests.support.levers import write_lever

LEVER, SMALL_LEVER = "WORD-COUNT", "LEV-TEST"


@dataclass(frozen=True)
class Evaluated:
    """One finished flow run: its id, what the flow returned, the folder it ran in, what the store was asked."""

    flow_run_id: str
    result: dict[str, str]
    home: Path
    puts: int


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as running:
        yield running


@pytest.fixture(scope="session")
def deployed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Work pool and deployments, by the commands of the guide."""
    environment = server.environment | own_environment(tmp_path_factory.mktemp("bench"))
    for beginning in ("prefect work-pool create", "prefect --no-prompt deploy"):
        run(documented(beginning), environment)
    return Deployed(server, environment, server.get("deployments/name/evaluate-lever/evaluate-lever"))


@pytest.fixture(scope="session")
def flow(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The flow's module in this process, talking to the server. Imported late: it costs seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        module = importlib.import_module("flows.evaluate")
        from prefect.context import use_profile
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker
        from prefect.settings import Profile

        with use_profile(Profile(name="tests", settings={}), include_current_context=False):
            patch.setattr(module.archive, "retry_delay_seconds", [0, 0, 0])
            yield module
            APILogWorker.drain_all()
            EventsWorker.drain_all()


@pytest.fixture(scope="session")
def levers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two levers: the template of `prfpipe new`, and one that is done sooner."""
    folder = tmp_path_factory.mktemp("levers")
    assert prfpipe(["new", str(folder / LEVER.lower())]) == 0
    write_lever(folder / SMALL_LEVER.lower(), profiles=[], scenarios=SCENARIOS)
    return folder


@pytest.fixture(scope="session")
def evaluated(flow: ModuleType, levers: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """The template lever, evaluated by the flow; its store gives no answer twice, then works."""
    home, puts = tmp_path_factory.mktemp("evaluated"), 0
    archive_sealed = closing.archive_sealed

    def flaky(*arguments: Any) -> str:
        nonlocal puts
        puts += 1
        if puts <= 2:
            raise StoreUnavailableError("the store does not answer", hint="Try again.")
        return archive_sealed(*arguments)

    with worker(home, levers) as patch:
        patch.setattr(closing, "archive_sealed", flaky)
        state = flow.evaluate_lever(lever=LEVER, accept_noise=True, return_state=True)
    assert state.is_completed(), state.message
    return Evaluated(str(state.state_details.flow_run_id), state.result(), home, puts)


@contextmanager
def worker(home: Path, levers: Path) -> Iterator[pytest.MonkeyPatch]:
    """What a worker's process has: a working folder, the folder of the levers; here also short efforts."""
    with at_home(home, {"PRFPIPE_LEVERS": str(levers)}) as patch:
        yield patch
