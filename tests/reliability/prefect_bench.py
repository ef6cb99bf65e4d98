"""A worker that can be killed and started again, and a Prefect server likewise."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from flows.names import LEASES, POOL, host_limit
from prfpipe import host
from tests.e2e.evaluations import SCENARIOS, own_environment
from tests.flows.deployment import ROOT, documented, run
from tests.flows.prefect_server import Server, clean_environment, free_port, wait_until
from tests.support.levers import write_lever

LEVER = "LEV-TEST"
START_SECONDS = 300
_LINGER = Path(__file__).parent / "linger"
_LEAN = {"PREFECT_SERVER_UI_ENABLED": "false", "PREFECT_API_BLOCKS_REGISTER_ON_START": "false"}


class Bench:
    """A worker of its own on a server that has the deployments; a context manager, nothing is left of it afterwards.

    Runs that it asks for are for its worker only: they wait in a queue that no other worker looks at.
    """

    def __init__(self, home: Path, api: Server, environment: Mapping[str, str]) -> None:
        """`home` has everything: lever, runs, store, the host's lock; `environment` says where the server is."""
        self.home, self.api = home, api
        self.runs, self.store, self.reached = home / "runs", home / "evidence", home / "reached"
        places = {"RUNS": self.runs, "STORE": self.store, "LEVERS": home / "levers"}
        self.environment = {**environment, **own_environment(home), "PYTHONPATH": f"{_LINGER}{os.pathsep}{ROOT}"}
        self.environment |= {f"PRFPIPE_{name}": str(path) for name, path in places.items()}
        self.queue, self.worker = home.name, 0
        self._started: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        write_lever(self.home / "levers" / "lever", profiles=["py-spy"], scenarios=SCENARIOS)
        self.start_worker()
        return self

    def __exit__(self, *_: object) -> None:
        for pid in (self.worker, self.measuring()):
            self.kill(pid)

    def start_worker(self) -> None:
        """Returns at once."""
        words = ["worker", "start", "--pool", POOL, "--work-queue", self.queue, "--type", "process"]
        self.worker = self._start("worker", words, {})

    def launch(self, linger: str = "", **parameters: object) -> str:
        """Ask for a run as the form does; `linger` is the stage that takes its time. Returns the flow run's id."""
        self.reached.unlink(missing_ok=True)
        given = {"lever": LEVER, "effort": "quick", "accept_noise": True, **parameters}
        deployment = self.api.get("deployments/name/evaluate-lever/evaluate-lever")["id"]
        told = {"PRFPIPE_TEST_LINGER": linger, "PRFPIPE_TEST_REACHED": str(self.reached)}
        asked = {"parameters": given, "job_variables": {"env": told}, "work_queue_name": self.queue}
        answer = self.api.post(f"deployments/{deployment}/create_flow_run", asked | {"enforce_parameter_schema": False})
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    def flow_run(self, identity: str) -> dict[str, Any]:
        """What the server says of it; nothing while it does not answer."""
        with suppress(httpx.TransportError):
            return self.api.get(f"flow_runs/{identity}")
        return {}

    def state(self, identity: str) -> str:
        """`RUNNING`, `CRASHED`, …"""
        return str(self.flow_run(identity).get("state_type", ""))

    def ended(self, identity: str, seconds: float) -> str:
        """The state in which it ends, waited for; or the one in which it still is."""
        deadline = time.monotonic() + seconds
        while (state := self.state(identity)) not in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return state

    def measuring(self) -> int:
        """The flow's process that holds the host's lock, or held it last; 0 if there is none."""
        path = Path(self.environment["PRFPIPE_LOCK"])
        words = path.read_text().split() if path.exists() else []
        return int(words[-1]) if words and self._is_ours(words[-1]) else 0

    def _is_ours(self, pid: str) -> bool:
        try:
            return str(self.home).encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    def _start(self, name: str, words: list[str], more: dict[str, str]) -> int:
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "prefect", *words],
                env=self.environment | more, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._started[process.pid] = process
        return process.pid

    def kill(self, pid: int) -> None:
        """kill -9, and nothing for a process that there is not."""
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if process := self._started.pop(pid, None):
            process.wait()


class PrefectBench(Bench):
    """With a server of its own, set up as docs/prefect.md says, that can be killed and started again."""

    def __init__(self, home: Path) -> None:
        """`home` has the database too."""
        self._port = free_port()
        url = f"http://127.0.0.1:{self._port}/api"
        environment = clean_environment(home) | {"PREFECT_API_URL": url, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        super().__init__(home, Server(url, environment), environment)

    def __enter__(self) -> Self:
        self.start_server()
        for beginning in ("prefect work-pool create", "prefect --no-prompt deploy"):
            run(documented(beginning), self.environment)
        run(["prefect", "gcl", "create", host_limit(host.name()), "--limit", "1"], self.environment)
        run(["flows.automations"], self.environment)
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.kill(self.server)

    def start_server(self) -> None:
        """Returns when it answers."""
        words = ["server", "start", "--port", str(self._port)]
        self.server = self._start("server", words, _LEAN | LEASES)
        wait_until(self._answers, START_SECONDS, "the server")

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.api.url}/health", timeout=5).is_success
        return False


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return not stat.rpartition(")")[2].startswith(" Z")
