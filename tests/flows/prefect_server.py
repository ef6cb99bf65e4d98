"""A real Prefect server for a test session, and what a test reads from it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 300
_BUSY_SECONDS = 120
# Neither the page nor the blocks are looked at here, and both cost seconds of every start.
_LEAN = {
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class Server:
    """A running server: its API's URL, and the environment of a person who uses it."""

    url: str
    environment: dict[str, str]

    def find(self, what: str, **query: Any) -> list[dict[str, Any]]:
        """The `flow_runs`, `task_runs`, `logs`, `artifacts` … that a filter of the API finds."""
        answer = self.post(f"{what}/filter", query)
        assert answer.is_success, answer.text
        found = answer.json()
        return list(found["events"] if what == "events" else found)

    def events(self, name: str, run_id: str, least: int = 1) -> list[dict[str, Any]]:
        """The events so named that tell of this run, once there are enough: Prefect sends them from another thread."""
        found: list[dict[str, Any]] = []

        def arrived() -> bool:
            told = self.find("events", filter={"event": {"prefix": [name]}})
            found[:] = [event for event in told if event["payload"]["run_id"] == run_id]
            return len(found) >= least

        wait_until(arrived, _BUSY_SECONDS, found)
        return found

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """The API's answer."""
        return ask("POST", f"{self.url}/{path}", json=body)

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Change one object of the API."""
        answer = ask("PATCH", f"{self.url}/{path}", json=body)
        assert answer.is_success, answer.text

    def delete(self, path: str) -> None:
        """Remove one object of the API."""
        answer = ask("DELETE", f"{self.url}/{path}")
        assert answer.is_success, answer.text

    def get(self, path: str) -> dict[str, Any]:
        """One object of the API."""
        answer = ask("GET", f"{self.url}/{path}")
        assert answer.is_success, answer.text
        return dict(answer.json())


def ask(method: str, url: str, **request: Any) -> httpx.Response:
    """A server's answer; asked again, as Prefect's own clients do, while it says that its database is busy (503)."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        answer = httpx.request(method, url, timeout=120, **request)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > end:
            return answer
        time.sleep(0.5)


@contextmanager
def prefect_server(folder: Path) -> Iterator[Server]:
    """Start a server on a free port with an empty home; it and all that it started end with the context."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = clean_environment(folder)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env=environment | _LEAN, stdout=output, stderr=output, cwd=folder, start_new_session=True
        )
    try:
        wait_until(lambda: server.poll() is not None or _healthy(url), START_SECONDS, log)
        assert server.poll() is None, log.read_text()
        yield Server(url, environment | {"PREFECT_API_URL": url})
    finally:
        end_group(server)


def clean_environment(home: Path) -> dict[str, str]:
    """This process's environment without anybody's settings of Prefect or prfpipe."""
    foreign = ("PREFECT_", "PRFPIPE_", "AWS_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # A worker asks for runs every ten seconds by itself: tests would mostly wait for that.
    own = {"PREFECT_HOME": str(home / "prefect"), "PREFECT_WORKER_QUERY_SECONDS": "2", "DO_NOT_TRACK": "1"}
    return kept | {"HOME": str(home)} | own


def end_group(process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """End a process that leads its own group, politely at first, and whatever is left of the group."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until(happened: Callable[[], bool], seconds: float, what: object) -> None:
    """Look often, for at most so many seconds."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
