"""What is paid once when a runtime starts: a program of the gate measures itself, several times in fresh processes."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median_low

from prfpipe import host
from prfpipe.digests import read_json
from prfpipe.errors import BundleError, SubjectCrashError, SubjectHangError, SubjectProtocolError
from prfpipe.measure import Bench
from prfpipe.subject.variants import subject_environment

_HINT = "See docs/gates.md, `PRF-03`."


def costs(tree: Path, file: str, runs: int, bench: Bench) -> dict[str, int]:
    """The median cost of each name that `file` prints, in ns, by the order in which it prints them.

    The program runs in `tree`, which is first on its path, on the measuring CPU; it prints one JSON object.

    Raises:
        SubjectError: it failed, hung, or printed something else.
    """
    bench.scratch.mkdir(parents=True, exist_ok=True)
    found = [_printed(tree, file, bench) for _ in range(runs)]
    if any(run.keys() != found[0].keys() for run in found):
        raise SubjectProtocolError(f"{file} printed other names from run to run", hint=_HINT)
    return {name: median_low([run[name] for run in found]) for name in found[0]}


def _printed(tree: Path, file: str, bench: Bench) -> dict[str, int]:
    environment = subject_environment(bench.scratch, {"PYTHONPATH": str(tree)})
    cpus = host.available_cpus() if bench.cpu is None else [bench.cpu]
    try:
        with host.on_cpus(set(cpus)):
            done = subprocess.run(
                [sys.executable, str(tree / file)],
                cwd=tree,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=bench.timeout,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise SubjectHangError(f"{file} did not end within {bench.timeout:g} s", hint="Run it by hand.") from error
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise SubjectCrashError(f"{file} failed: {' '.join(last) or done.returncode}", hint="Run it by hand.")
    return _checked(done.stdout, file)


def _checked(data: bytes, file: str) -> dict[str, int]:
    problem = SubjectProtocolError(f"{file} printed no JSON object of names and ns", hint=_HINT)
    try:
        found = read_json(data, source=file)
    except (BundleError, json.JSONDecodeError) as error:
        raise problem from error
    if not isinstance(found, dict) or not found or not all(type(value) is int for value in found.values()):
        raise problem
    return found
