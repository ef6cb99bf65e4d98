"""The deployment of prefect.yaml, as docs/prefect.md says to use it: pool, deploy, worker, run."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.evaluations import own_environment
from tests.flows.conftest import SMALL_LEVER
from tests.flows.prefect_server import Server

pytestmark = [pytest.mark.server, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "prefect.md"
SHORT = Path(__file__).with_name("short.py")
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

    def create_run(self, parameters: dict[str, Any], **more: Any) -> Any:
        """The server's answer to a person who fills in the form."""
        path = f"deployments/{self.deployment['id']}/create_flow_run"
        return self.server.post(path, {"parameters": parameters, **more})


@pytest.fixture(scope="module")
def deployed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    own = own_environment(tmp_path_factory.mktemp("bench"))
    environment = server.environment | own
    for beginning in ("prefect work-pool create", "prefect --no-prompt deploy"):
        run(documented(beginning), environment)
    deployment = server.get("deployments/name/evaluate-lever/evaluate-lever")
    return Deployed(server, environment, deployment)


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


def test_the_form_describes_each_parameter_and_offers_the_efforts(deployed: Deployed) -> None:
    schema = deployed.deployment["parameter_openapi_schema"]
    fields = schema["properties"]
    assert list(fields) == ["lever", "effort", "store", "accept_noise", "resume"]
    assert fields["lever"]["description"].startswith("id of a lever")
    assert all(field["description"] for field in fields.values())
    assert schema["definitions"]["Effort"]["enum"] == ["quick", "standard", "rigorous"]
    assert "Effort" in json.dumps(fields["effort"])
    assert deployed.deployment["enforce_parameter_schema"] is True


def test_the_gates_have_a_deployment_with_a_form_of_their_own(deployed: Deployed) -> None:
    deployment = deployed.server.get("deployments/name/performance-gates/performance-gates")
    schema = deployment["parameter_openapi_schema"]
    assert list(schema["properties"]) == ["gate", "profile", "effort"]
    assert all(field["description"] for field in schema["properties"].values())
    assert schema["definitions"]["DeploymentProfile"]["enum"] == ["dev_local", "ci_dev", "enterprise"]
    assert deployment["global_concurrency_limit"]["limit"] == 1


def test_one_run_at_a_time_others_wait(deployed: Deployed) -> None:
    assert deployed.deployment["global_concurrency_limit"]["limit"] == 1
    assert deployed.deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"


@pytest.mark.parametrize(
    "refused", [{"lever": "../x"}, {"lever": "levers/lev_01"}, {"effort": "nonsense"}, {"resume": "x"}]
)
def test_the_server_refuses_what_the_form_would_not_send(deployed: Deployed, refused: dict[str, Any]) -> None:
    answer = deployed.create_run(refused)
    assert answer.status_code in {409, 422}, answer.text


def test_a_worker_runs_what_was_asked_for_in_the_checkout(deployed: Deployed, levers: Path, tmp_path: Path) -> None:
    answer = deployed.create_run(
        {"lever": SMALL_LEVER, "effort": "quick", "accept_noise": True, "store": str(tmp_path / "evidence")},
        job_variables={"command": shlex.join([sys.executable, str(SHORT), "prefect.engine"])},
    )
    assert answer.is_success, answer.text
    place = {"PRFPIPE_LEVERS": str(levers), "PRFPIPE_RUNS": str(tmp_path / "runs"), "PYTHONPATH": str(ROOT)}
    output = run([*documented("prefect worker start"), "--run-once"], deployed.environment | place)
    flow_run = deployed.server.get(f"flow_runs/{answer.json()['id']}")
    assert flow_run["state_type"] == "COMPLETED", output
    [bundle] = (tmp_path / "evidence").glob("evidence/v1/lev-test/*")
    assert (bundle / "statement.dsse.json").is_file()
