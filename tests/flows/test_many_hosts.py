"""Two hosts on a server of PostgreSQL and Redis, as docs/many-hosts.md sets it up: nothing is shared but the store."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from prfpipe.history.series import read_run
from prfpipe.models import Plan, Verdict
from prfpipe.store import open_store
from prfpipe.store.evidence import list_bundles
from tests.e2e.evaluations import SCENARIOS, TIMEOUT_SECONDS
from tests.flows.prefect_server import wait_until
from tests.support.bench_hosts import bench_host
from tests.support.levers import write_lever
from tests.support.prefect_stack import Stack, ended, in_redis, launch_all, prefect_stack, set_up, shorten_runs
from tests.support.windows import overlaps, parallel_ns, windows

pytestmark = [pytest.mark.server, pytest.mark.slow]

SECONDS = 300
HOSTS = {"bench-a": "small", "bench-b": "large"}


@dataclass(frozen=True)
class Fanned:
    """What is left of a run of `evaluate-all` over two queues."""

    stack: Stack
    run: dict[str, Any]
    runs: list[tuple[Plan, Verdict]]
    store: Path

    def bundles(self, host: str) -> list[Path]:
        return [self.store / plan.lever.id.lower() / plan.run_id for plan, _ in self.runs if plan.host.name == host]


@pytest.fixture(scope="module")
def fanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fanned]:
    """Two levers in two queues, started through the API; a third worker stands for the machine of the server."""
    home = tmp_path_factory.mktemp("hosts")
    for name in ("LEV-A", "LEV-B"):
        write_lever(home / "levers" / name.lower(), id=name, profiles=[], scenarios=SCENARIOS)
    places = {
        "PRFPIPE_LEVERS": str(home / "levers"),
        "PRFPIPE_STORE": str(home / "store"),
        "PRFPIPE_SUBJECT_TIMEOUT_SECONDS": TIMEOUT_SECONDS,
    }
    with prefect_stack(home) as stack, ExitStack() as running:
        set_up(stack, [*HOSTS.values(), "control"], list(HOSTS), places)
        shorten_runs(stack)
        for name, queue in {**HOSTS, "server": "control"}.items():
            host = bench_host(stack, name, queue, places)
            running.callback(host.kill)
            host.start()
        run = launch_all(stack, list(HOSTS.values()), "quick")
        wait_until(lambda: ended(stack, run), SECONDS, home)
        store = open_store(str(home / "store"))
        runs = [read_run(store, ref) for ref in list_bundles(store)]
        yield Fanned(stack, stack.ask("GET", f"flow_runs/{run}"), runs, home / "store" / "evidence" / "v1")


def test_each_lever_ends_in_a_verdict_of_each_host(fanned: Fanned) -> None:
    assert fanned.run["state_type"] == "COMPLETED", fanned.run["state"]
    assert sorted((plan.lever.id, plan.host.name) for plan, _ in fanned.runs) == [
        (lever, host) for lever in ("LEV-A", "LEV-B") for host in HOSTS
    ]


def test_hosts_measure_the_same_operations(fanned: Fanned) -> None:
    seeds = {(plan.lever.id, plan.seed) for plan, _ in fanned.runs}
    assert len(seeds) == 2


def test_nothing_overlaps_on_a_host_and_hosts_work_in_parallel(fanned: Fanned) -> None:
    for host in HOSTS:
        assert all(windows(bundle) for bundle in fanned.bundles(host))
        assert overlaps(fanned.bundles(host)) == []
    assert parallel_ns({host: fanned.bundles(host) for host in HOSTS}) > 0


def test_what_the_hosts_found_is_compared(fanned: Fanned) -> None:
    found = fanned.stack.ask("POST", "artifacts/filter", {"artifacts": {"key": {"any_": ["hosts"]}}})
    rows = json.loads(found[0]["data"])
    assert [row["lever"] for row in rows] == ["LEV-A", "LEV-B"]
    assert all(set(HOSTS) <= row.keys() for row in rows)
    assert "LEV-A across hosts" in fanned.run["state"]["message"]


def test_who_has_no_password_is_refused(fanned: Fanned) -> None:
    assert httpx.post(f"{fanned.stack.url}/flow_runs/filter", json={}, timeout=60).status_code == 401


def test_messages_and_services_are_in_redis(fanned: Fanned) -> None:
    assert all(in_redis(fanned.stack).values())


def test_who_waits_is_not_on_the_host_yet(fanned: Fanned) -> None:
    log = (fanned.stack.folder / "bench-a.log").read_text()
    assert log.count("submitted to infrastructure") == 2
    assert log.index("Completed(") < log.rindex("submitting flow run")
