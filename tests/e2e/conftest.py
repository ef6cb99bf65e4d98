"""One evaluation for each way in which a lever can be wrong, shared by all tests that look at it."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.e2e import levers
from tests.e2e.clocks import recorded
from tests.e2e.evaluations import Done, evaluate, lever

Evaluated = Callable[..., Done]


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Give the name of a function of `levers`: its lever is evaluated once a session, by `levers.RECORDED` clocks."""
    done: dict[str, Done] = {}

    def once(name: str, *argv: str, **environment: str) -> Done:
        if name not in done:
            home: Path = tmp_path_factory.mktemp(name)
            folder = lever(home, **getattr(levers, name)(home))
            speedup = levers.RECORDED.get(name)
            with recorded(speedup) if speedup else nullcontext():
                done[name] = evaluate(home, folder, *argv, **environment)
        return done[name]

    return once
