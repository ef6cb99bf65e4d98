"""A session: every planned comparison once, each on the disk when it is finished, in an order that shares the noise."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from calibration import results, with_hyperfine, with_prfpipe, with_pyperf
from calibration.case import Case, Finding
from calibration.experiments import Task, Tool
from prfpipe import host, plan
from prfpipe.digests import derive_seed, sha256_file, sha256_tree
from prfpipe.disk import AppendFile
from prfpipe.errors import HostBusyError, InputError
from prfpipe.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
_COMPARE: dict[Tool, Callable[[Case], Finding]] = {
    "prfpipe": with_prfpipe.compare,
    "hyperfine": with_hyperfine.compare,
    "pyperf": with_pyperf.compare,
}
_MEASURING_CODE = (
    *(f"prfpipe/{room}.py" for room in ("measure", "stats", "figures", "verdict", "plan", "subject/*")),
    "calibration/with_*.py",
    "calibration/lever/*.*",
)
_POLITE_S = 2.0


@dataclass(frozen=True)
class Options:
    """`budget` is the factor on the wall times of the experiments."""

    file: Path
    seed: int
    budget: float


def run(tasks: Sequence[Task], options: Options, progress: Progress) -> None:
    """Make all comparisons of `tasks` that the file does not have yet.

    Raises:
        InputError: the file belongs to another session (machine, code, seed or budget).
        PrfpipeError: a comparison failed; those before it are kept, and the same call goes on.
    """
    cpu = host.measuring_cpu()
    with results.appending(options.file) as file:
        known = _opened(file, options)
        done = {(row.experiment, row.tool, row.index) for row in known.comparisons}
        missing = [task for task in tasks if task.key not in done]
        if not missing:
            return
        tunings = _tuned({task.tool for task in missing}, known, file, cpu, progress)
        for number, task in enumerate(missing):
            _announce(progress, missing, number, options.budget)
            with alone(progress):
                row = _compare(task, tunings[task.tool], options, cpu)
            file.append(results.line_of(row))


def _opened(file: AppendFile, options: Options) -> results.Results:
    known = results.read(options.file)
    now = _new_session(options)
    if known.session is None:
        file.append(results.line_of(now))
        return results.Results(session=now)
    for name in ("seed", "budget", "machine", "code"):
        if getattr(known.session, name) != getattr(now, name):
            raise InputError(
                f"{options.file} belongs to a session with another {name}: "
                f"{getattr(known.session, name)} there, {getattr(now, name)} here",
                hint=f"Go on at commit {known.session.commit[:12]} as it was, or name a new file with --results.",
            )
    return known


def _new_session(options: Options) -> results.Session:
    now, here = datetime.now(UTC), host.fingerprint()
    known = here.model_dump(include={"cpu_model", "cpus", "memory_kib", "kernel", "os", "python", "virtualized"})
    return results.Session(
        seed=options.seed,
        budget=options.budget,
        started_at=now.isoformat(timespec="seconds"),
        machine={**known, "measuring_cpu": here.measuring_cpu},
        commit=plan.provenance((), ROOT, now).git_commit,
        code=_code_digest(),
    )


def _code_digest() -> str:
    """Of all that measures and decides: a session is about one state of it."""
    paths = [path for pattern in _MEASURING_CODE for path in ROOT.glob(pattern) if path.is_file()]
    return sha256_tree({path.relative_to(ROOT).as_posix(): sha256_file(path) for path in paths})


def _tuned(
    tools: set[Tool], known: results.Results, file: AppendFile, cpu: int, progress: Progress
) -> dict[Tool, dict[str, float]]:
    """What each tool needs to fill its time: from the file, or measured now and added to it."""
    found = {tool: tuning.values for tool, tuning in known.tunings.items()}
    makers = {"hyperfine": _tune_hyperfine, "pyperf": _tune_pyperf, "prfpipe": _tune_prfpipe}
    for tool in sorted(tools - set(found)):
        with alone(progress):
            progress.say(f"{tool}: how much fits into the time")
            version, values = makers[tool](cpu)
        file.append(results.line_of(results.Tuning(tool=tool, version=version, values=values)))
        found[tool] = values
    return found


def _tune_prfpipe(cpu: int) -> tuple[str, dict[str, float]]:
    return plan.provenance((), ROOT, datetime.now(UTC)).tools["prfpipe"], {}


def _tune_hyperfine(cpu: int) -> tuple[str, dict[str, float]]:
    return with_hyperfine.version(), with_hyperfine.tune(cpu)


def _tune_pyperf(cpu: int) -> tuple[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as scratch:
        return with_pyperf.version(), with_pyperf.tune(cpu, Path(scratch))


def _announce(progress: Progress, missing: Sequence[Task], number: int, budget: float) -> None:
    task = missing[number]
    seconds = [item.experiment.seconds * budget for item in missing]
    progress.say(
        f"{task.experiment.title}: {task.tool}, comparison {number + 1} of {len(missing)}",
        done=sum(seconds[:number]) / sum(seconds),
        remaining=sum(seconds[number:]),
    )


def _compare(task: Task, tuning: dict[str, float], options: Options, cpu: int) -> results.Comparison:
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="calibrate-") as scratch:
        case = Case(
            experiment=task.experiment,
            seconds=task.experiment.seconds * options.budget,
            seed=derive_seed(options.seed, f"{task.experiment.name}/{task.tool}", task.index),
            cpu=cpu,
            scratch=Path(scratch),
            tuning=tuning,
        )
        start = time.perf_counter()
        finding = _COMPARE[task.tool](case)
        wall = time.perf_counter() - start
    return results.Comparison(
        experiment=task.experiment.name,
        tool=task.tool,
        index=task.index,
        started_at=started_at,
        wall_s=round(wall, 3),
        load_1min=round(load, 2),
        **finding._asdict(),
    )


@contextmanager
def alone(progress: Progress) -> Iterator[None]:
    """Hold the host; wait for as long as another measurement holds it."""
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(host.exclusive())
                break
            except HostBusyError as error:
                progress.say(f"waiting: {error.message}")
                time.sleep(_POLITE_S)
        yield
