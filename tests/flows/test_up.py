"""`prfpipe up`: everything a person needs in one command, and nothing of it left afterwards."""

import hashlib
import html
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.evaluations import SCENARIOS
from tests.flows.prefect_server import ask, clean_environment, wait_until
from tests.flows.test_command_line import left_over
from tests.support.levers import write_lever
from tests.support.up import ROOT, Running, prfpipe_up

pytestmark = [pytest.mark.server, pytest.mark.slow]

SHORT = Path(__file__).with_name("short.py")
SECONDS = 170


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("up")
    write_lever(home / "levers" / "lever", profiles=[], scenarios=SCENARIOS)
    with prfpipe_up(home, "--s3", changes={"PRFPIPE_LEVERS": str(home / "levers")}) as running:
        yield running


def test_every_part_is_healthy(running: Running) -> None:
    done = running.command("up", "--status", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert document["healthy"] is True
    assert [part["part"] for part in document["parts"]] == [
        "Prefect server", "worker", "deployments", "automations", "host limit", "S3 server",
    ]  # fmt: skip
    assert document["up"]["ui"] in running.said


def test_what_waits_for_the_host_stays_in_the_queue(running: Running) -> None:
    up = json.loads(running.command("up", "--status", "--json").stdout)["up"]
    answer = ask("GET", f"{up['api']}/work_pools/{up['pool']}/queues/default")
    assert answer.json()["concurrency_limit"] == 1


def test_a_second_one_says_that_one_is_running(running: Running) -> None:
    done = running.command("up")
    assert done.returncode == 2
    assert "it is up already" in done.stderr


def test_what_the_server_says_is_kept_from_others(running: Running) -> None:
    assert (running.home / "up").stat().st_mode & 0o077 == 0
    assert (running.home / "up" / "s3-credentials.json").stat().st_mode & 0o077 == 0


def test_a_run_from_the_form_ends_in_the_s3_store(running: Running) -> None:
    up = json.loads(running.command("up", "--status", "--json").stdout)["up"]
    deployment = ask("GET", f"{up['api']}/deployments/name/evaluate-lever/evaluate-lever").json()
    answer = ask(
        "POST",
        f"{up['api']}/deployments/{deployment['id']}/create_flow_run",
        json={
            "parameters": {"lever": "LEV-TEST", "effort": "quick", "accept_noise": True},
            "job_variables": {"command": shlex.join([sys.executable, str(SHORT), "prefect.engine"])},
        },
    )
    assert answer.is_success, answer.text
    run: dict[str, Any] = {}

    def ended() -> bool:
        run.update(ask("GET", f"{up['api']}/flow_runs/{answer.json()['id']}").json())
        return run["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}

    wait_until(ended, SECONDS, run)
    assert run["state_type"] == "COMPLETED", run["state"]
    [statement] = (running.home / "up" / "s3" / "evidence").rglob("statement.dsse.json")
    assert statement.parent.name.split("-", 1)[1].startswith("lev-test")
    assert_the_page_links_to_the_report(up["api"], run["id"])


def assert_the_page_links_to_the_report(api: str, run: str) -> None:
    """Whoever reads the verdict can open the report, and compare it with its digest."""
    filters = {"flow_runs": {"id": {"any_": [run]}}, "artifacts": {"key": {"like_": "%-verdict"}}}
    [page] = ask("POST", f"{api}/artifacts/filter", json=filters).json()
    found = re.search(r"\[Full report\]\((http[^)]+)\), sha256 \W*([0-9a-f]{64})", page["data"])
    assert found, page["data"][-2000:]
    report = httpx.get(html.unescape(found[1]), timeout=30)
    assert hashlib.sha256(report.content).hexdigest() == found[2], report.text[:500]


def test_ctrl_c_stops_all_of_it(running: Running) -> None:
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0, (running.home / "err").read_text()
    assert "everything is stopped" in (running.home / "err").read_text()
    wait_until(lambda: not [line for line in left_over(running.home) if str(os.getpid()) not in line], 20, "the end")
    done = running.command("up", "--status")
    assert (done.returncode, done.stdout) == (4, "nothing is up; `prfpipe up` starts it\n")


def test_outside_of_a_checkout_it_says_where_to_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prfpipe", "up"],
        env=clean_environment(tmp_path) | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no prefect.yaml" in done.stderr
