"""Prefect's server as docs/many-hosts.md sets it up: PostgreSQL, Redis, API and services, each a process of its own.

Settings are those of docs/deploy/server.env, with this machine's ports, fresh secrets and nothing else in their place.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from flows.children import Child, free_port
from flows.names import POOL
from tests.flows.prefect_server import ask, clean_environment
from tests.support.programs import find

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
NEEDED = ("initdb", "postgres", "redis-server")
_SECONDS = 120.0
_UNPRIVILEGED = ("postgres", "nobody")


def documented_settings(name: str) -> dict[str, str]:
    """The variables of one of the documented environment files."""
    lines = (DEPLOY / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True)
class Stack:
    """A running server. `environment`: of a client on this machine; `auth`: NAME:PASSWORD; `children`: by name."""

    port: int
    auth: str
    environment: dict[str, str]
    folder: Path
    children: dict[str, Child]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The API's answer to somebody who may ask."""
        user, password = self.auth.split(":", 1)
        url = f"{self.url}/{path}"
        answer = ask(method, url, json=body, auth=(user, password))
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Run one of this environment's modules to its end, in the checkout."""
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env=self.environment | dict(environment or {}), cwd=ROOT, capture_output=True, text=True,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def prefect_stack(folder: Path) -> Iterator[Stack]:
    """Start everything, with an empty database; it ends with the context, or with this process."""
    auth, port = f"prfpipe:{secrets.token_hex(12)}", free_port(0)
    with ExitStack() as running:
        database = running.enter_context(_postgres(folder))
        redis = running.enter_context(_redis(folder))
        settings = documented_settings("server.env") | {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "PREFECT_REDIS_MESSAGING_URL": f"{redis}/0",
            "PREFECT_SERVER_DOCKET_URL": f"{redis}/1",
            "PREFECT_SERVER_API_AUTH_STRING": auth,
            "PREFECT_SERVER_API_PORT": str(port),
        }
        base = clean_environment(folder) | {"PYTHONPATH": str(ROOT)}
        client = base | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_API_AUTH_STRING": auth}
        stack = Stack(port, auth, client, folder, {})
        stack.run(*unit_words("prefect-migrate"), environment=settings)
        for name in ("prefect-api", "prefect-services"):
            home = {"PREFECT_HOME": str(folder / name)}
            command = [sys.executable, "-m", *unit_words(name)]
            child = Child(name, command, base | settings | home, folder / f"{name}.log", ROOT)
            running.callback(child.stop, 15)
            stack.children[name] = child
        stack.children["prefect-api"].wait_until(lambda: _healthy(stack.url), _SECONDS)
        yield stack


def unit_words(unit: str) -> list[str]:
    """What a documented unit starts, as words after `python -m`."""
    [line] = [line for line in (DEPLOY / f"{unit}.service").read_text().splitlines() if line.startswith("ExecStart=")]
    program, *words = line.removeprefix("ExecStart=").split()
    return [Path(program).name, *words]


def _healthy(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/health", timeout=5).is_success
    return False


# ---- PostgreSQL and Redis -------------------------------------------------------------------------------


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """A cluster with one user and one database; the URL for Prefect. It must not run as root."""
    password, port, owner = secrets.token_hex(12), free_port(0), _owner()
    data = Path(tempfile.mkdtemp(prefix="prfpipe-postgres-", dir="/tmp"))
    try:
        (data / "password").write_text(password)
        (data / "password").chmod(0o600)
        for path in (data, data / "password"):
            if owner:
                shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)
        cluster = ["-D", str(data / "cluster")]
        made = ["-U", "prefect", "-A", "scram-sha-256", f"--pwfile={data / 'password'}"]
        _run([*_as(owner), _program("initdb"), *cluster, *made, "--no-sync", "-E", "UTF8", "--no-locale"], data)
        _run([*_as(owner), _program("postgres"), "--single", *cluster, "postgres"], data, "CREATE DATABASE prefect")
        listen = ["-h", "127.0.0.1", "-p", str(port), "-k", str(data)]
        command = [*_as(owner), _program("postgres"), *cluster, *listen]
        child = Child("postgres", command, _plain(), folder / "postgres.log", data)
        try:
            child.wait_until(lambda: "is ready to accept" in child.log.read_text(), _SECONDS)
            yield f"postgresql+asyncpg://prefect:{password}@127.0.0.1:{port}/prefect"
        finally:
            child.stop(15)
    finally:
        shutil.rmtree(data)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A server with a password that keeps nothing on disk; its URL without a database."""
    password, port = secrets.token_hex(12), free_port(0)
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n')
    child = Child("redis", [_program("redis-server"), str(config)], _plain(), folder / "redis.log", folder)
    try:
        child.wait_until(lambda: "Ready to accept connections" in child.log.read_text(), _SECONDS)
        yield f"redis://default:{password}@127.0.0.1:{port}"
    finally:
        child.stop(15)


def _owner() -> str | None:
    """Whom PostgreSQL runs as where this process is root."""
    if os.getuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in known)


def _as(owner: str | None) -> list[str]:
    """A prefix that gives up root, and dies with this process all the same."""
    if owner is None:
        return []
    found = pwd.getpwnam(owner)
    ids = ["--reuid", str(found.pw_uid), "--regid", str(found.pw_gid), "--clear-groups"]
    return [_program("setpriv"), *ids, "--pdeathsig", "KILL", "--"]


def _run(command: Sequence[str], cwd: Path, text: str = "") -> None:
    done = subprocess.run(
        command, env=_plain(), cwd=cwd, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _plain() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def _program(name: str) -> str:
    found = find(name)
    assert found, f"{name} is not installed"
    return found


# ---- what a person sets up once -------------------------------------------------------------------------


def set_up(stack: Stack, queues: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> None:
    """Pool, queues, limits and deployments; `environment` says where the levers are."""
    stack.ask("POST", "work_pools/", {"name": POOL, "type": "process"})
    for queue in queues:
        stack.ask("POST", f"work_pools/{POOL}/queues", {"name": queue})
    for host in hosts:
        stack.ask("POST", "v2/concurrency_limits/", {"name": f"bench-host:{host}", "limit": 1, "active": True})
    stack.run("prefect", "--no-prompt", "deploy", "--all", environment=environment)


def shorten_runs(stack: Stack) -> None:
    """Runs of `evaluate-lever` measure for seconds: tests/flows/short.py stands before Prefect's engine."""
    found = stack.ask("GET", "deployments/name/evaluate-lever/evaluate-lever")
    short = ROOT / "tests" / "flows" / "short.py"
    variables = found["job_variables"] | {"command": f"{sys.executable} {short} prefect.engine"}
    stack.ask("PATCH", f"deployments/{found['id']}", {"job_variables": variables})


def launch_all(stack: Stack, queues: Sequence[str], effort: str) -> str:
    """A run of `evaluate-all`, as the form starts it, on the server's own machine; its id."""
    deployment = stack.ask("GET", "deployments/name/evaluate-all/evaluate-all")
    body = {
        "parameters": {"effort": effort, "accept_noise": True, "queues": list(queues)},
        "state": {"type": "SCHEDULED"},
    }
    return str(stack.ask("POST", f"deployments/{deployment['id']}/create_flow_run", body)["id"])


def ended(stack: Stack, run: str) -> bool:
    """Whether a flow run has ended, however it did."""
    time.sleep(0.5)
    return stack.ask("GET", f"flow_runs/{run}")["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}


def in_redis(stack: Stack) -> dict[int, int]:
    """How many keys the server keeps in each of its two databases."""
    lines = (stack.folder / "redis.conf").read_text().splitlines()
    settings = dict(line.split(" ", 1) for line in lines)
    sizes = {}
    for number in (0, 1):
        with Redis(port=int(settings["port"]), password=settings["requirepass"], db=number) as client:
            sizes[number] = len(list(client.scan_iter()))
    return sizes
