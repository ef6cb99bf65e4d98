"""What every test relies on: repeatable generated cases, no settings from the person's shell, keys of its own."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import programs

# What a test file or folder needs that pip cannot install.
NEEDS = {
    "browser": [programs.BROWSER],
    "flows/test_many_hosts.py": ["initdb", "postgres", "redis-server", "setpriv"],
    "e2e/test_readme.py": ["git"],
    "unit/test_gates_ledger.py": ["git"],
    "unit/test_plan.py": ["git"],
    "unit/test_repository.py": ["git"],
}
_LEFT_OUT = programs.left_out(NEEDS)
collect_ignore = list(_LEFT_OUT)

# No deadline: this suite runs on shared machines, where a slow example says nothing about the code.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


def pytest_report_header() -> list[str]:
    return list(_LEFT_OUT.values())


@pytest.fixture(scope="session", autouse=True)
def _no_keys_of_the_person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither find anybody's keys nor leave some: the key folder is there, unless PRFPIPE_KEY_FOLDER is set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PRFPIPE_", "AWS_")):
            monkeypatch.delenv(name)
