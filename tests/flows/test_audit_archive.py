"""The weekly audit on a real server: a good archive, a tampered bundle, a missing link, what is told and to whom."""

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flows.names import ARCHIVE_REFUSED
from prfpipe.layout import REPORT, STATEMENT
from prfpipe.store.evidence import ROOT
from tests.e2e.evaluations import own_environment
from tests.flows.deployment import Deployed
from tests.flows.prefect_server import Server, wait_until
from tests.golden.bundles import corpus
from tests.support.bundles import RUN_ID
from tests.support.commands import prfpipe
from tests.unit.audit_at_scale import plant

pytestmark = pytest.mark.server

BUNDLES, PATIENCE_SECONDS = 11, 120


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of five levers; LEV-01 has three bundles, the others two."""
    folder = tmp_path_factory.mktemp("archive")
    plant(folder, BUNDLES)
    return folder


@pytest.fixture
def home(planted: Path, tmp_path: Path) -> Path:
    """A worker that trusts the signer of the archive in its `evidence`."""
    shutil.copytree(planted, tmp_path / "evidence")
    with worker(tmp_path):
        assert prfpipe("keys", "trust", str(corpus.TRUSTED)).code == 0
    return tmp_path


@contextmanager
def worker(home: Path) -> Iterator[None]:
    """What a worker's process has. Efforts are not short here: an audit knows the rule of each."""
    with pytest.MonkeyPatch.context() as patch:
        stores = {"PRFPIPE_STORES": f'{{"team": "{home}/evidence"}}'}
        for name, value in own_environment(home, stores).items():
            patch.setenv(name, value)
        patch.chdir(home)
        yield


def run_of(home: Path, number: int) -> Path:
    """The bundle with this number; they are an hour apart, of five levers in turn."""
    return sorted(home.rglob(STATEMENT), key=lambda path: path.parent.name)[number].parent


def audited(flow: ModuleType, home: Path, **parameters: Any) -> Any:
    """The state in which the flow ends."""
    with worker(home):
        return importlib.import_module("flows.audit_archive").audit_whole_archive(**parameters, return_state=True)


def page(server: Server, state: Any, key: str = "archive-default") -> str:
    found = server.find("artifacts", artifacts={"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}})
    [artifact] = [item for item in found if item["key"] == key]
    assert artifact["type"] == "markdown"
    return str(artifact["data"])


def logged(server: Server, state: Any, expected: str) -> str:
    """The run's log, once the expected text has arrived: Prefect sends it from another thread."""
    found: list[str] = []

    def arrived() -> bool:
        logs = server.find("logs", logs={"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}})
        found[:] = [str(log["message"]) for log in logs]
        return expected in "\n".join(found)

    wait_until(arrived, PATIENCE_SECONDS, found)
    return "\n".join(found)


# ---- what it finds --------------------------------------------------------------------------------------


def test_a_good_archive_completes_the_run_with_its_counts(server: Server, flow: ModuleType, home: Path) -> None:
    state = audited(flow, home)
    assert state.is_completed(), state.message
    assert state.message == "11 bundles: 11 accepted, 0 refused"
    assert state.result() == {"bundles": BUNDLES, "refused": 0, "faults": 0}
    shown = page(server, state)
    assert "# Archive: accepted" in shown
    assert "11 adopt. Signatures: 11 trusted." in shown
    assert "| LEV-01 |" in shown
    said = logged(server, state, "ACCEPTED: the archive")
    assert "of 11 bundles" in said


def test_a_tampered_bundle_fails_the_run_and_is_named_with_its_check(
    server: Server, flow: ModuleType, home: Path
) -> None:
    run = run_of(home, 4)
    report = (run / REPORT).read_bytes()
    (run / REPORT).write_bytes(report[:-1] + bytes([report[-1] ^ 1]))
    state = audited(flow, home)
    assert state.is_failed()
    assert state.message.startswith("11 bundles: 10 accepted, 1 refused")
    shown = page(server, state)
    assert "# Archive: REFUSED" in shown
    [row] = [line for line in shown.splitlines() if line.startswith(f"| {run.name} |")]
    assert "The bundle is whole" in row
    assert REPORT in row
    assert f"REFUSED  {run.name}: The bundle is whole" in logged(server, state, "REFUSED: the archive")
    [event] = server.events(ARCHIVE_REFUSED, run.name)
    assert event["resource"]["prefect.resource.id"] == "prfpipe.store.default"
    assert event["payload"]["refused"] == [run.name]
    assert event["payload"]["message"] == state.message


def test_a_lost_file_and_a_strangers_signature_are_each_named(server: Server, flow: ModuleType, home: Path) -> None:
    lost = run_of(home, 7)
    (lost / "plan.json").unlink()
    corpus.write(corpus.golden("signed-by-an-untrusted-key").files, home / "evidence" / ROOT / "lev-01" / RUN_ID)
    state = audited(flow, home)
    assert state.is_failed()
    rows = {line.split()[1]: line for line in page(server, state).splitlines() if line.startswith("| 2026")}
    assert rows.keys() == {lost.name, RUN_ID}
    assert "plan.json: No such file" in rows[lost.name]
    assert "The signature is that of a trusted signer: signed by key" in rows[RUN_ID]


def test_a_missing_link_of_a_chain_fails_the_run(server: Server, flow: ModuleType, home: Path) -> None:
    missing = run_of(home, 5)
    after = run_of(home, 10)
    shutil.rmtree(missing)
    state = audited(flow, home)
    assert state.is_failed()
    assert state.message == "10 bundles: 10 accepted, 0 refused, 1 missing or out of place"
    shown = page(server, state)
    assert "## Chains that do not hold" in shown
    assert f"number 2 is not in the archive, {after.name} follows it" in shown
    [event] = server.events(ARCHIVE_REFUSED, "")
    assert "number 2 is not in the archive" in event["payload"]["problems"][0]


def test_a_bundle_that_was_taken_from_the_end_is_missed_by_who_saw_it(flow: ModuleType, home: Path) -> None:
    assert audited(flow, home).is_completed()
    shutil.rmtree(run_of(home, 10))
    state = audited(flow, home)
    assert state.is_failed()
    assert state.result(raise_on_failure=False)["faults"] == 1


def test_whose_signatures_count_is_what_the_workers_key_folder_says(
    server: Server, flow: ModuleType, home: Path
) -> None:
    shutil.rmtree(home / "keys")
    state = audited(flow, home)
    assert state.is_completed()
    assert "Signatures: 11 untrusted." in page(server, state)


# ---- what may be asked for ------------------------------------------------------------------------------


def test_a_store_is_named_and_a_day_leaves_out_what_is_older(server: Server, flow: ModuleType, home: Path) -> None:
    state = audited(flow, home, store="team", since="2026-01-02")
    assert state.is_completed()
    assert state.result()["bundles"] == 0
    assert "# Archive: accepted" in page(server, state, "archive-team")


@pytest.mark.parametrize("parameters", [{"store": "/etc"}, {"since": "yesterday"}], ids=["a path", "no day"])
def test_what_is_no_name_or_no_day_is_refused(flow: ModuleType, home: Path, parameters: dict[str, str]) -> None:
    state = audited(flow, home, **parameters)
    assert state.is_failed()
    assert "invalid parameters" in state.message


def test_a_store_that_the_worker_does_not_know_fails_the_run(flow: ModuleType, home: Path) -> None:
    state = audited(flow, home, store="elsewhere")
    assert state.is_failed()
    assert "this worker has no store 'elsewhere'" in state.message


# ---- the deployment -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_its_form_names_a_store_and_a_day_and_nothing_else(deployed: Deployed) -> None:
    deployment = deployed.server.get("deployments/name/audit-archive/audit-archive")
    fields = deployment["parameter_openapi_schema"]["properties"]
    assert list(fields) == ["store", "since"]
    assert all(field["description"] for field in fields.values())
    path = f"deployments/{deployment['id']}/create_flow_run"
    for refused in ({"store": "/tmp/evidence"}, {"store": "s3://elsewhere"}, {"since": "yesterday"}):
        assert deployed.server.post(path, {"parameters": refused}).status_code in {409, 422}, refused
