"""`prfpipe evaluate` without a server of one's own: the flow on an ephemeral one, from start to exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.evaluations import own_environment
from tests.flows.conftest import SMALL_LEVER
from tests.flows.prefect_server import clean_environment, wait_until

pytestmark = [pytest.mark.server, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120
SHORT = Path(__file__).with_name("short.py")
EXIT_CODES = {"adopt": 0, "reject": 1, "undecided": 3}


def left_over(home: Path) -> list[str]:
    """Processes whose environment names `home`, such as a server that nobody stopped."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(home).encode() in path.read_bytes():
                found.append(path.with_name("cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_a_folder_is_evaluated_on_an_ephemeral_server_that_is_gone_afterwards(levers: Path, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path) | own_environment(tmp_path) | {"PYTHONPATH": str(ROOT)}
    command = [
        "prfpipe",
        "evaluate",
        str(levers / SMALL_LEVER.lower()),
        "--json",
        "--accept-noise",
        "--effort",
        "quick",
    ]
    done = subprocess.run(
        [sys.executable, str(SHORT), *command],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert done.returncode == EXIT_CODES[document["verdict"]], done.stderr
    assert document["lever"] == SMALL_LEVER
    assert Path(document["bundle"].removeprefix("file://"), "statement.dsse.json").is_file()
    assert f"archive {SMALL_LEVER}" in done.stderr
    assert "Traceback" not in done.stderr
    wait_until(lambda: left_over(tmp_path) == [], PATIENCE_SECONDS, "a process that nobody stopped")
