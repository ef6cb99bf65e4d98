"""The deployment of prefect.yaml, as docs/prefect.md says to use it: pool, deploy, worker, run."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import SMALL_LEVER
from tests.flows.deployment import ROOT, Deployed, documented, run

pytestmark = [pytest.mark.server, pytest.mark.slow]

SHORT = Path(__file__).with_name("short.py")


def test_the_form_describes_each_parameter_and_offers_the_efforts(deployed: Deployed) -> None:
    schema = deployed.deployment["parameter_openapi_schema"]
    fields = schema["properties"]
    assert list(fields) == ["lever", "effort", "store", "accept_noise", "seed", "resume"]
    assert fields["lever"]["description"].startswith("id of a lever")
    assert all(field["description"] for field in fields.values())
    assert fields["lever"]["enum"] == ["LEV-01", "LEV-02", "LEV-03", "LEV-04", "LEV-05"]
    assert fields["store"]["enum"] == ["default"]
    assert schema["definitions"]["Effort"]["enum"] == ["quick", "standard", "rigorous"]
    assert "Effort" in json.dumps(fields["effort"])
    assert deployed.deployment["enforce_parameter_schema"] is True


def test_the_gates_have_a_deployment_with_a_form_of_their_own(deployed: Deployed) -> None:
    deployment = deployed.server.get("deployments/name/performance-gates/performance-gates")
    schema = deployment["parameter_openapi_schema"]
    assert list(schema["properties"]) == ["gate", "profile", "effort", "of_host"]
    assert all(field["description"] for field in schema["properties"].values())
    assert schema["definitions"]["DeploymentProfile"]["enum"] == ["dev_local", "ci_dev", "enterprise"]


@pytest.mark.parametrize(("name", "cron"), [("nightly", "30 2 * * *"), ("audit-archive", "0 6 * * 0")])
def test_nights_and_weeks_are_scheduled(deployed: Deployed, name: str, cron: str) -> None:
    schedule = deployed.schedule(name)
    assert schedule["active"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == (cron, "Europe/Berlin")


@pytest.mark.parametrize(
    "refused",
    [
        {"lever": "../x"},
        {"lever": "levers/lev_01"},
        {"lever": "LEV-09"},
        {"effort": "nonsense"},
        {"resume": "x"},
        {"store": "/tmp/evidence"},
        {"store": "s3://elsewhere"},
        {"seed": -1},
    ],
    ids=str,
)
def test_the_server_refuses_what_the_form_would_not_send(deployed: Deployed, refused: dict[str, Any]) -> None:
    answer = deployed.create_run(refused)
    assert answer.status_code in {409, 422}, answer.text


def test_a_worker_runs_what_was_asked_for_in_the_checkout(deployed: Deployed, levers: Path, tmp_path: Path) -> None:
    answer = deployed.create_run(
        {"lever": SMALL_LEVER, "effort": "quick", "accept_noise": True},
        enforce_parameter_schema=False,
        job_variables={"command": shlex.join([sys.executable, str(SHORT), "prefect.engine"])},
    )
    assert answer.is_success, answer.text
    place = {"PRFPIPE_LEVERS": str(levers), "PRFPIPE_RUNS": str(tmp_path / "runs"), "PYTHONPATH": str(ROOT)}
    place["PRFPIPE_STORE"] = str(tmp_path / "evidence")
    output = run([*documented("prefect worker start"), "--run-once"], deployed.environment | place)
    flow_run = deployed.server.get(f"flow_runs/{answer.json()['id']}")
    assert flow_run["state_type"] == "COMPLETED", output
    [bundle] = (tmp_path / "evidence").glob("evidence/v1/lev-test/*")
    assert (bundle / "statement.dsse.json").is_file()
