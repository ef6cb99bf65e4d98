"""Ten evaluations on two hosts, one of which loses its power half-way: none is lost, and nothing overlaps.

    python -m tests.many_hosts        # writes docs/many-hosts-run.md; as root, with PostgreSQL, Redis and Caddy

The hosts are network namespaces with names and process ids of their own, each pinned to a CPU; they reach nothing but
the TLS proxy before the API. Everything else is as docs/many-hosts.md and docs/deploy say.
"""

import json
import os
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from prfpipe import host as this_host
from prfpipe.history.series import read_run
from prfpipe.models import Plan, Verdict
from prfpipe.store import open_store
from prfpipe.store.evidence import list_bundles
from tests.e2e.evaluations import SCENARIOS
from tests.flows.prefect_server import wait_until
from tests.many_hosts_page import Observed, page
from tests.support.bench_hosts import SERVER_ADDRESS, BenchHost, bench_host, own_machine
from tests.support.levers import write_lever
from tests.support.prefect_stack import (
    NEEDED,
    ROOT,
    Stack,
    ended,
    in_redis,
    launch_all,
    prefect_stack,
    set_up,
    shorten_runs,
)
from tests.support.programs import find, required
from tests.support.tls_proxy import tls_proxy

PAGE = ROOT / "docs" / "many-hosts-run.md"
LEVERS = [f"LEV-{letter}" for letter in "ABCDE"]
HOSTS = {"bench-a": "small", "bench-b": "large"}
KILLED = "bench-b"
# Shortened, with the smallest chance that two copies of the same code differ: 1 in 10 000.
EFFORT = "rigorous"
AWAY_SECONDS = 10
SECONDS = 1800


def main() -> int:
    """Run it, and write the page."""
    missing = required(*NEEDED, "caddy", "ip", "unshare", "taskset")
    if missing or os.getuid():
        sys.stderr.write(f"this needs root, and {', '.join(missing) or 'nothing else'} to be installed\n")
        return 4
    home = Path(tempfile.mkdtemp(prefix="prfpipe-many-hosts-"))
    observed = observe(home)
    say(observed.summary())
    if observed.proves_it():
        PAGE.write_text(page(observed))
        shutil.rmtree(home)
        return 0
    sys.stderr.write(f"this is not what it must show; everything is in {home}\n")
    return 1


def observe(home: Path) -> Observed:
    """Ten evaluations, a host killed in the middle of one, and what is there afterwards."""
    for name in LEVERS:
        write_lever(home / "levers" / name.lower(), id=name, scenarios=SCENARIOS)
    places = {"PRFPIPE_LEVERS": str(home / "levers"), "PRFPIPE_STORE": str(home / "store")}
    began = time.monotonic()
    with prefect_stack(home) as stack, machines(stack, places) as there:
        up_seconds = time.monotonic() - began
        set_up(stack, [*HOSTS.values(), "control"], list(HOSTS), places)
        shorten_runs(stack)
        stack.run("flows.automations")
        for machine in there.hosts.values():
            machine.start()
        say("launching ten evaluations")
        launched = time.monotonic()
        run = launch_all(stack, list(HOSTS.values()), EFFORT)
        cut = cut_power(stack, there.hosts[KILLED], home / KILLED / "runs")
        wait_until(lambda: ended(stack, run), SECONDS, home)
        return Observed(
            wall_seconds=time.monotonic() - launched,
            up_seconds=up_seconds,
            flow_run=stack.ask("GET", f"flow_runs/{run}"),
            flow_runs=evaluations(stack),
            table=json.loads(artifact(stack, "hosts")),
            runs=stored(home),
            store=home / "store" / "evidence" / "v1",
            killed=KILLED,
            killed_at=cut,
            crashed_after=crashed_after(stack, cut),
            away_seconds=AWAY_SECONDS,
            hosts=HOSTS,
            refusals=refusals(stack, there),
            redis=in_redis(stack),
            fingerprint=this_host.fingerprint(),
        )


@dataclass
class Machines:
    """The hosts and the server's own worker; where they find the API, and by which authority."""

    url: str
    root: Path
    hosts: dict[str, BenchHost] = field(default_factory=dict)


@contextmanager
def machines(stack: Stack, places: dict[str, str]) -> Iterator[Machines]:
    """Two hosts with a CPU each, and a worker beside the server that only launches others."""
    with ExitStack() as running:
        prefixes = {
            name: running.enter_context(own_machine(number, name, cpu))
            for number, (name, cpu) in enumerate(zip(HOSTS, this_host.available_cpus(), strict=False), start=1)
        }
        proxy = running.enter_context(tls_proxy(stack, SERVER_ADDRESS, find("caddy") or ""))
        there = Machines(*proxy)
        secure = places | {"PREFECT_API_URL": there.url, "PREFECT_API_SSL_CERT_FILE": str(there.root)}
        for name, queue in HOSTS.items():
            there.hosts[name] = bench_host(stack, name, queue, secure)
            there.hosts[name].prefix = prefixes[name]
            # Its own name is the machine's.
            del there.hosts[name].environment["PRFPIPE_HOST"]
        there.hosts["server"] = bench_host(stack, "server", "control", places)
        for machine in there.hosts.values():
            running.callback(machine.kill)
        yield there


def cut_power(stack: Stack, machine: BenchHost, runs: Path) -> datetime:
    """Kill a host that has ended one evaluation and measures the next; it comes back after a while. When it was."""

    def measures_its_second() -> bool:
        folders = [path for path in runs.glob("*") if path.is_dir() and path.suffix != ".work"]
        return len(folders) == 2 and any(
            path.suffix == ".partial" and "art-03" in str(path) for path in max(folders).rglob("*")
        )

    wait_until(measures_its_second, SECONDS, runs)
    machine.kill()
    at = datetime.now(UTC)
    say(f"{machine.name} was killed")
    time.sleep(AWAY_SECONDS)
    machine.start()
    say(f"{machine.name} is back")
    return at


def evaluations(stack: Stack) -> list[dict[str, Any]]:
    """All flow runs of `evaluate-lever`."""
    deployment = stack.ask("GET", "deployments/name/evaluate-lever/evaluate-lever")
    found = stack.ask("POST", "flow_runs/filter", {"deployments": {"id": {"any_": [deployment["id"]]}}})
    return list(found)


def crashed_after(stack: Stack, at: datetime) -> float | None:
    """After how many seconds the server knew that the killed run was dead."""
    ends = [run["end_time"] for run in evaluations(stack) if run["state_type"] == "CRASHED"]
    return min((datetime.fromisoformat(end) - at).total_seconds() for end in ends) if ends else None


def artifact(stack: Stack, key: str) -> str:
    """The data of the newest artifact of that key."""
    return str(stack.ask("GET", f"artifacts/{key}/latest")["data"])


def stored(home: Path) -> list[tuple[Plan, Verdict]]:
    """Every bundle in the store."""
    store = open_store(str(home / "store"))
    return [read_run(store, ref) for ref in list_bundles(store)]


def refusals(stack: Stack, there: Machines) -> dict[str, str]:
    """What the proxy and the API answer to who has no password, and to who does not know the authority."""
    trusted = ssl.create_default_context(cafile=str(there.root))
    url = f"{there.url}/flow_runs/filter"
    user, _, password = stack.auth.partition(":")
    answers = {
        "without a password": httpx.post(url, json={}, verify=trusted),
        "with a wrong one": httpx.post(url, json={}, verify=trusted, auth=(user, "x")),
        "with the password": httpx.post(url, json={}, verify=trusted, auth=(user, password)),
    }
    told = {who: str(answer.status_code) for who, answer in answers.items()}
    try:
        httpx.post(url, json={})
    except httpx.ConnectError as error:
        told["without the authority's certificate"] = "no connection" * ("CERTIFICATE_VERIFY_FAILED" in str(error))
    return told


def say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


if __name__ == "__main__":
    sys.exit(main())
