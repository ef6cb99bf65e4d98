"""What every test relies on: repeatable generated cases, no settings from the person's shell, keys of its own."""

import os

import pytest
from hypothesis import settings

# No deadline: this suite runs on shared machines, where a slow example says nothing about the code.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("PRFPIPE_", "AWS_")):
            monkeypatch.delenv(name)
    # Where the key folder is, unless PRFPIPE_KEYS says otherwise: nobody's own keys, and none made for tests in a home.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
