"""A gate that is killed leaves none of the programs that it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prfpipe.errors import SubjectStartError
from prfpipe.gates.guard import Guard
from prfpipe.subject.family import FAMILY_VARIABLE
from tests.support.gates import gate_yaml, write_gate
from tests.support.subjects import is_running, wait_until_gone

ROOT = Path(__file__).parents[2]
RUN = "import sys; from prfpipe.cli import run; sys.exit(run(sys.argv[1:]))"
PATIENCE_S = 120
# A program that never says it is ready, with a child that has left its session.
HANGS = "setsid sleep 600 & echo $! $$ >> {pids}; sleep 600"
FORGETS = "env -i sleep 600 & echo $! $$ >> {pids}; sleep 600"
"""Its child has no mark in its environment."""


def pids_in(path: Path) -> list[int]:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline, "the program was never started"
        time.sleep(0.02)
    return [int(pid) for pid in path.read_text().split()]


def gate_on(tmp_path: Path, script: str) -> "subprocess.Popen[bytes]":
    """`prfpipe gate PRF-01 -- sh -c SCRIPT` in a session of its own."""
    write_gate(tmp_path / "gates" / "cold", gate_yaml({"wall": 100.0, "cpu": 100.0}, id="PRF-01"))
    names = {"GATES": "gates", "GATE_REPORTS": "reports", "LOCK": "host.lock"}
    places = {f"PRFPIPE_{name}": str(tmp_path / place) for name, place in names.items()}
    words = ("-c", RUN, "gate", "PRF-01", "--ready", "never", "--", "sh", "-c", script)
    return subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, **places, "TMPDIR": str(tmp_path)},  # who is killed leaves its scratch folder
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )


@pytest.mark.parametrize("program", [HANGS, FORGETS], ids=["in its own session", "without the mark"])
@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["the gate alone", "its whole group"])
def test_a_killed_gate_leaves_no_program_and_none_of_its_children(
    tmp_path: Path, kill: Callable[[int, int], None], program: str
) -> None:
    pids = tmp_path / "pids"
    with gate_on(tmp_path, program.format(pids=pids)) as gate:
        started = pids_in(pids)
        assert all(is_running(pid) for pid in started)
        kill(gate.pid, signal.SIGKILL)
    for pid in started:
        wait_until_gone(pid)


def test_a_guard_ends_with_what_it_guards_and_leaves_others_alone() -> None:
    with subprocess.Popen(["sleep", "600"], env={**os.environ, FAMILY_VARIABLE: "another"}) as other:
        with Guard("one"), subprocess.Popen(["sleep", "600"], env={**os.environ, FAMILY_VARIABLE: "one"}) as own:
            own.kill()
        assert other.poll() is None
        other.kill()


def test_a_guard_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SubjectStartError, match="did not start"), Guard("one"):
        pass
