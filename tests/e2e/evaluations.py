"""Evaluations that take seconds: the whole command line with short efforts, here or (as a script) in a process.

Run as a script it is `prfpipe` with the same short efforts, so that a test can kill it.
"""

import gzip
import io
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prfpipe import measure, plan
from prfpipe.cli import run
from prfpipe.doctrine import Stage
from prfpipe.loop import measuring, stages
from prfpipe.models import Effort, Plan
from prfpipe.profilers import hotspots, py_spy
from prfpipe.stopping import is_enough
from tests.support.levers import write_lever

# alpha; seconds for the primary scenario, the others, the baseline; invocations of the others. Chance alone makes two
# copies of the same code differ once in 1 / alpha runs: where a test must not meet that, the effort is rigorous.
SHORT = {
    Effort.QUICK: (0.05, 1.0, 0.2, 0.3, 1),
    Effort.STANDARD: (0.01, 1.5, 0.2, 0.3, 1),
    Effort.RIGOROUS: (0.0001, 2.0, 0.2, 0.3, 1),
}
SCENARIOS = {"small": {"primary": True, "params": {"words": 400}}}
TIMEOUT_SECONDS = "60"
PATIENCE_SECONDS = 120
FOR_EVER = 3600.0


def shorten(patch: pytest.MonkeyPatch) -> None:
    """Everything that waits for time waits less; what is done stays the same."""
    for effort, values in SHORT.items():
        patch.setitem(plan.EFFORTS, effort, values)
        patch.setitem(stages._PROOF_SECONDS, effort, 0.5)
        patch.setitem(stages._PROFILE_SECONDS, effort, 0.7)
    patch.setattr(measure, "INVOCATION_NS", 40_000_000)
    # In so short a time py-spy gets few samples where neighbours take its core; these profiles are not looked at.
    patch.setattr(hotspots, "MIN_SAMPLES", 20)


@dataclass(frozen=True)
class Done:
    """How a command ended, and the folder that it ran in."""

    code: int
    out: str
    err: str
    home: Path

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def codes(self) -> set[str]:
        """The codes of the verdict's reasons."""
        return {reason["code"] for reason in self.document["reasons"]}

    def reason(self, code: str) -> str:
        """The messages of the reasons with this code."""
        return "\n".join(item["message"] for item in self.document["reasons"] if item["code"] == code)

    @property
    def run_folder(self) -> Path:
        """The folder of the only run."""
        runs = (path for path in (self.home / ".prfpipe" / "runs").iterdir() if path.is_dir())
        [folder] = (path for path in runs if path.suffix != ".work")
        return folder

    @property
    def bundle(self) -> Path:
        """The bundle in the directory store."""
        return Path(self.document["bundle"].removeprefix("file://"))


def lever(home: Path, **parts: Any) -> Path:
    """A lever folder outside of the repository, measured on one scenario and, unless asked for, not profiled."""
    return write_lever(home / "lever", **{"profiles": [], "scenarios": SCENARIOS, **parts})


def prfpipe(home: Path, *argv: str, **environment: str) -> Done:
    """Run a command line in `home`, in this process."""
    with (
        at_home(home, environment) as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", ["prfpipe", *argv])
        code = _exit_code(argv)
    return Done(code, out.getvalue(), err.getvalue(), home)


def _exit_code(argv: tuple[str, ...]) -> int:
    try:
        return run(argv)
    except SystemExit as ended:
        return int(ended.code or 0)


@contextmanager
def at_home(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[pytest.MonkeyPatch]:
    """Short efforts, a working folder and a temporary folder of its own: nothing is shared with real runs."""
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        for name in [name for name in os.environ if name.startswith(("PRFPIPE_", "AWS_"))]:
            patch.delenv(name)
        for name, value in own_environment(home, environment).items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", None)
        patch.chdir(home)
        yield patch


def own_environment(home: Path, changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where a run in `home` keeps its lock, its keys and its temporary files, and how long it waits for a subject."""
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    values = {
        "TMPDIR": str(temporary),
        "PRFPIPE_LOCK": str(temporary / "host.lock"),
        "PRFPIPE_KEY_FOLDER": str(home / "keys"),
    }
    return {**values, "PRFPIPE_SUBJECT_TIMEOUT_SECONDS": TIMEOUT_SECONDS, **(changes or {})}


def evaluate(home: Path, folder: Path, *argv: str, **environment: str) -> Done:
    """Evaluate a lever folder inline, as JSON; a shared machine's noise is accepted."""
    words = ("evaluate", str(folder), "--inline", "--json", "--accept-noise", "--seed", "11", *argv)
    return prfpipe(home, *words, **environment)


def processes_of(home: Path) -> list[str]:
    """Command lines of living processes that name something below `home`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(home) in line and path.parent.name != str(os.getpid()):
            found.append(line)
    return found


def left_behind(home: Path) -> list[str]:
    """What still lives when processes that were killed have had the time to end, which on a busy machine is long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def plain_bytes(path: Path) -> bytes:
    """What a file of a bundle says, unpacked."""
    data = path.read_bytes() if path.is_file() else b""
    return gzip.decompress(data) if path.suffix == ".gz" else data


def die_where_told(patch: pytest.MonkeyPatch) -> None:
    """`PRFPIPE_TEST_DIE=before:plan.json`: kill -9 of the whole group before (or after) a file gets that name."""
    when, _, name = os.environ.get("PRFPIPE_TEST_DIE", "").partition(":")
    link = os.link

    def dying(source: str, to: str, **folders: Any) -> None:
        if to != name or when == "after":
            link(source, to, **folders)
        if to == name:
            os.killpg(0, signal.SIGKILL)

    patch.setattr(os, "link", dying)


def go_on_where_told(patch: pytest.MonkeyPatch) -> None:
    """`PRFPIPE_TEST_ENDLESS=profile`: this stage goes on until it is stopped; nobody comes too late for that."""
    match os.environ.get("PRFPIPE_TEST_ENDLESS"):
        case Stage.BASELINE | Stage.REPROFILE as endless:

            def enough(plan: Plan, stage: Stage, *found: Any) -> bool:
                return stage != endless and is_enough(plan, stage, *found)

            patch.setattr(measuring, "is_enough", enough)
        case Stage.PROFILE:
            patch.setattr(stages, "_PROFILE_SECONDS", dict.fromkeys(Effort, FOR_EVER))
            patch.setattr(py_spy, "WANTED_SAMPLES", FOR_EVER * py_spy.RATE)
        case Stage.PROVE | Stage.VERIFY:
            patch.setattr(stages, "_PROOF_SECONDS", dict.fromkeys(Effort, FOR_EVER))


if __name__ == "__main__":
    # A shell that starts a job in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    changes = pytest.MonkeyPatch()
    shorten(changes)
    die_where_told(changes)
    go_on_where_told(changes)
    sys.exit(run())
