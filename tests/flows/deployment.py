"""The deployments of prefect.yaml, made as docs/prefect.md says."""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.flows.prefect_server import Server, wait_until

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "prefect.md"
SECONDS = 500


def documented(beginning: str) -> list[str]:
    """The one command of the guide that begins so."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    lines = dict.fromkeys(line.strip() for block in blocks for line in block.splitlines())
    [command] = [line for line in lines if line.startswith(beginning)]
    return shlex.split(command, comments=True)


@dataclass(frozen=True)
class Deployed:
    """The deployment as the server has it, and the environment of who deployed it."""

    server: Server
    environment: dict[str, str]
    deployment: dict[str, Any]

    def schedule(self, name: str) -> dict[str, Any]:
        """The one schedule of a deployment; the server has made a run of it."""
        deployment = self.server.get(f"deployments/name/{name}/{name}")
        found = {"deployments": {"id": {"any_": [deployment["id"]]}}}
        due = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        wait_until(lambda: bool(self.server.find("flow_runs", **found, **due)), SECONDS, f"a scheduled run of {name}")
        [schedule] = deployment["schedules"]
        return dict(schedule)

    def create_run(self, parameters: dict[str, Any], **more: Any) -> Any:
        """The server's answer to a person who fills in the form."""
        path = f"deployments/{self.deployment['id']}/create_flow_run"
        return self.server.post(path, {"parameters": parameters, **more})


def run(command: list[str], environment: dict[str, str]) -> str:
    """Run a documented command in the checkout, with this environment's programs."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
