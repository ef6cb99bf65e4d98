"""A `prfpipe up` of a test's own: Prefect server with its pages, worker and deployments, in a folder of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.e2e.evaluations import own_environment
from tests.flows.prefect_server import Server, clean_environment

ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    """A `prfpipe up` that has said that it is up."""

    home: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]
    said: str

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`prfpipe` in the same environment."""
        return subprocess.run(
            [sys.executable, "-m", "prfpipe", *words],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def up(self) -> dict[str, Any]:
        """What runs, as it says itself."""
        return dict(json.loads((self.home / "up" / "up.json").read_text()))

    @property
    def server(self) -> Server:
        """Its API."""
        return Server(self.up["api"], self.environment)


def shorten_runs(server: Server, command: str) -> None:
    """Have runs of `evaluate-lever` started with `command`; a form cannot say that, who deploys can."""
    deployment = server.get("deployments/name/evaluate-lever/evaluate-lever")
    server.patch(f"deployments/{deployment['id']}", {"job_variables": {"command": command}})


@contextmanager
def prfpipe_up(home: Path, *words: str, changes: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start it with everything below `home`; it and all that it started end with the context."""
    places = {"UP": "up", "RUNS": "runs", "STORE": "evidence"}
    environment = clean_environment(home) | own_environment(home) | {"PYTHONPATH": str(ROOT)}
    environment |= {f"PRFPIPE_{name}": str(home / folder) for name, folder in places.items()} | dict(changes or {})
    with (home / "err").open("w") as err:
        process = subprocess.Popen(
            # As at a person's terminal: who starts the tests in the background has them ignore Ctrl-C.
            ["env", "--default-signal=INT", sys.executable, "-m", "prfpipe", "up", *words],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=err, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        said = _until_told(process.stdout)
        assert "Prefect UI" in said, (home / "err").read_text()
        yield Running(home, environment, process, said)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _until_told(out: IO[str]) -> str:
    lines: list[str] = []
    for line in out:
        lines.append(line)
        if line.startswith("stop"):
            break
    return "".join(lines)
