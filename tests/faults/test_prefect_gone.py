"""The Prefect server is not there: one message, and the same evaluation without it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e import evaluations

ROOT = Path(__file__).resolve().parents[2]


def test_a_server_that_does_not_answer_is_one_message_that_names_the_way_without_it(tmp_path: Path) -> None:
    folder = evaluations.lever(tmp_path)
    own = {**evaluations.own_environment(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    # Port 9 (discard) is nobody's; a test must not wait through Prefect's retries.
    prefect = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_CLIENT_MAX_RETRIES": "0"}
    done = subprocess.run(
        [sys.executable, "-c", "from prfpipe.cli import main; main()", "evaluate", str(folder), "--accept-noise"],
        cwd=tmp_path,
        env={**os.environ, **own, **prefect, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "no Prefect server answers" in done.stderr
    assert "--inline" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".prfpipe" / "runs").exists()
