"""What every test relies on: repeatable generated cases and no settings from the person's shell."""

import os

import pytest
from hypothesis import settings

# No deadline: this suite runs on shared machines, where a slow example says nothing about the code.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PRFPIPE_", "AWS_")):
            monkeypatch.delenv(name)
