"""Real child processes from a few lines of source, and what is left of them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from prfpipe.subject.process import Subject, Workload
from prfpipe.subject.variants import subject_launch, workload_launch
from tests.support.levers import WORKLOAD, spec_of, write_lever

TIMEOUT = 60.0
Failure = TypeVar("Failure", bound=BaseException)
HEAD = "import json, os, signal, sys, threading, time\n"


def code(operate: str, *, init: str = "pass", top: str = "") -> str:
    """A Python subject; the parts may be several lines, separated by `;`."""
    lines = "\n        ".join(operate.splitlines())
    return (
        f"{HEAD}{top}\n\n\nclass Subject:\n    def __init__(self, params, workdir):\n        {init}\n"
        f"        self.params, self.workdir = params, workdir\n\n    def operate(self, operation):\n        {lines}\n"
    )


@contextmanager
def started(tmp_path: Path, source: str, *, timeout: float = TIMEOUT, cpu: int | None = None) -> Iterator[Subject]:
    """A Python subject before its hello."""
    folder, workdir = write_lever(tmp_path / "lever", candidate=source), tmp_path / "work"
    workdir.mkdir()
    launch = subject_launch(spec_of(folder), "candidate", folder, workdir, timeout=timeout, cpu=cpu)
    with Subject(launch) as subject:
        yield subject


@contextmanager
def running(tmp_path: Path, source: str, **options: float) -> Iterator[Subject]:
    with started(tmp_path, source, timeout=options.get("timeout", TIMEOUT)) as subject:
        subject.hello({"n": 3}, tmp_path / "work")
        yield subject


def answer(tmp_path: Path, source: str, operation: object = None) -> object:
    """What one operation gives."""
    with running(tmp_path, source) as subject:
        [found] = subject.results_of(subject.run([operation]))
        subject.close()
    return found


def is_running(pid: int) -> bool:
    """A zombie that nobody has waited for yet does not run any more."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 300
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.01)


def ended_by(
    error: type[Failure], tmp_path: Path, source: str, act: Callable[[Subject], object], *, timeout: float = TIMEOUT
) -> tuple[int, Failure]:
    """The process id of a subject on which `act` ends with `error`, and that error."""
    pids = []

    def go() -> None:
        with running(tmp_path, source, timeout=timeout) as subject:
            pids.append(subject.pid)
            act(subject)

    with pytest.raises(error) as caught:
        go()
    return pids[0], caught.value


@contextmanager
def workload(tmp_path: Path, source: str = WORKLOAD) -> Iterator[Workload]:
    folder = write_lever(tmp_path / "lever", workload=source)
    with Workload(workload_launch(spec_of(folder), folder, tmp_path, timeout=TIMEOUT)) as child:
        child.hello({"words": 3})
        yield child
