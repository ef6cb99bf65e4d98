"""One comparison as it is put to a tool, and what the tool answers."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from calibration.experiments import Call, Experiment
from prfpipe.errors import PrfpipeError
from prfpipe.host import leave_cpu_free

LEVER = Path(__file__).with_name("lever")


class ToolError(PrfpipeError):
    """Another benchmark tool is missing or failed."""


@dataclass(frozen=True)
class Case:
    """`seconds`: the wall time for all of it; `cpu`: where the operation runs; `scratch`: an empty folder."""

    experiment: Experiment
    seconds: float
    seed: int
    cpu: int
    scratch: Path
    tuning: dict[str, float]


class Finding(NamedTuple):
    """Changes of time in percent, the candidate's against the baseline's."""

    change_percent: float
    true_percent: float
    call: Call
    details: dict[str, float | int | str | None]


def run_tool(argv: Sequence[str], *, timeout: float, off_cpu: int = -1) -> str:
    """What a tool printed on stdout; it runs off the measuring CPU `off_cpu`, but for what it pins there itself.

    Raises:
        ToolError: it failed or took too long; the message has the end of its stderr.
    """
    try:
        with leave_cpu_free(off_cpu):
            done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise ToolError(f"{argv[0]} is not installed", hint="docs/calibration.md says what is needed.") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{argv[0]} took more than {timeout:.0f} s", hint="Stop other work; the same command goes on."
        ) from error
    if done.returncode:
        raise ToolError(
            f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}",
            hint=f"Try it by hand: {' '.join(argv)}",
        )
    return done.stdout


def call_of(change_percent: float, *, significant: bool) -> Call:
    """The word for a significant change of time."""
    if not significant or change_percent == 0:
        return "none"
    return "slower" if change_percent > 0 else "faster"
