"""Automations on a real server: what is looked at again, what is told, and to whom."""

import asyncio
import importlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest

from flows.names import ARCHIVE_REFUSED, GAIN_LOST, GATE_FAILED
from tests.flows.deployment import Deployed
from tests.flows.prefect_server import Server, wait_until

pytestmark = [pytest.mark.server, pytest.mark.slow]

SECONDS = 60


class Receiver:
    """Where a webhook posts: what came, as JSON."""

    def __init__(self) -> None:
        came: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = json.loads(body)
                came.append(json.loads(sent) if isinstance(sent, str) else sent)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Keep the test's output clean."""

        self.came = came
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture(scope="module")
def receiver(flow: ModuleType, deployed: Deployed) -> Iterator[Receiver]:
    """Automations are installed, twice, with a webhook to it; nothing that they started waits for a worker."""
    receiver = Receiver()
    threading.Thread(target=receiver.server.serve_forever, daemon=True).start()
    module = importlib.import_module("flows.automations")
    names = asyncio.run(module.install(receiver.url))
    assert asyncio.run(module.install(receiver.url)) == names
    assert len(names) == 6
    yield receiver
    for item in deployed.server.find("automations"):
        deployed.server.delete(f"automations/{item['id']}")
    for name in ("nightly", "performance-gates"):
        for run in _runs(deployed.server, name):
            deployed.server.delete(f"flow_runs/{run['id']}")
    receiver.server.shutdown()
    receiver.server.server_close()


NIGHT = {"store": "default", "tolerance_percent": 15.0, "accept_noise": False}


def _emit(event: str, kind: str, name: str, effort: str | None) -> None:
    from prefect.events import emit_event

    telling = importlib.import_module("flows.telling")
    emit_event(
        event=event,
        resource=telling.labels(f"prfpipe.{kind}.{name}", name, "bench-1", effort),
        payload={
            "run_id": "20261123T081500Z-lev-01-3f9c2a7b",
            "message": 'half of it "is gone"\nsince yesterday',
            "profile": "enterprise",
            **NIGHT,
        },
    )


def _runs(server: Server, deployment: str) -> list[dict[str, Any]]:
    found = server.get(f"deployments/name/{deployment}/{deployment}")
    return [
        run
        for run in server.find("flow_runs", deployments={"id": {"any_": [found["id"]]}})
        if not run["auto_scheduled"]
    ]


def test_installing_again_renews_and_adds_nothing(server: Server, receiver: Receiver) -> None:
    names = [item["name"] for item in server.find("automations") if item["name"].startswith("prfpipe")]
    assert len(names) == len(set(names)) == 6


def test_a_gain_that_seems_lost_is_reprofiled_rigorously_before_anyone_is_told(
    server: Server, receiver: Receiver
) -> None:
    _emit(GAIN_LOST, "lever", "LEV-02", "quick")
    wait_until(lambda: bool(_runs(server, "nightly")), SECONDS, "a run of nightly")
    [run] = _runs(server, "nightly")
    assert run["parameters"] == {"lever": "LEV-02", "effort": "rigorous", "of_host": "bench-1", **NIGHT}
    assert receiver.came == []


def test_a_gate_that_fails_is_run_again_rigorously(server: Server, receiver: Receiver) -> None:
    _emit(GATE_FAILED, "gate", "PRF-04", "standard")
    wait_until(lambda: bool(_runs(server, "performance-gates")), SECONDS, "a run of the gates")
    [run] = _runs(server, "performance-gates")
    assert run["parameters"] == {
        "gate": "PRF-04", "profile": "enterprise", "effort": "rigorous", "of_host": "bench-1",
    }  # fmt: skip


def test_what_rigorous_effort_confirms_is_told_once_and_starts_nothing(server: Server, receiver: Receiver) -> None:
    before = len(_runs(server, "nightly"))
    _emit(GAIN_LOST, "lever", "LEV-03", "rigorous")
    wait_until(lambda: bool(receiver.came), SECONDS, "the webhook")
    assert receiver.came == [
        {
            "event": GAIN_LOST,
            "subject": "LEV-03",
            "host": "bench-1",
            "run_id": "20261123T081500Z-lev-01-3f9c2a7b",
            "message": 'half of it "is gone"\nsince yesterday',
        }
    ]
    assert len(_runs(server, "nightly")) == before


def test_an_archive_that_is_refused_is_told_at_once(server: Server, receiver: Receiver) -> None:
    before = len(receiver.came)
    _emit(ARCHIVE_REFUSED, "store", "team", None)
    wait_until(lambda: len(receiver.came) > before, SECONDS, "the webhook")
    [told] = receiver.came[before:]
    assert (told["event"], told["subject"], told["host"]) == (ARCHIVE_REFUSED, "team", "bench-1")


def test_without_a_webhook_nobody_is_told_any_more(server: Server, receiver: Receiver) -> None:
    asyncio.run(importlib.import_module("flows.automations").install(None))
    names = [item["name"] for item in server.find("automations") if item["name"].startswith("prfpipe")]
    assert len(names) == 4
    assert not any("told" in name for name in names)
