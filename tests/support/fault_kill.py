"""Kill a run at every point where something becomes durable, and see that nothing is lost.

Run as a script it does so in processes of its own: `python -m tests.support.fault_kill FOLDER`. It has one thread,
so that it may fork: a child performs the run up to its end, another one goes on with what is left.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from prfpipe.errors import PrfpipeError
from prfpipe.layout import STATEMENT
from tests.support.fault_audit import audited, refusals
from tests.support.fault_points import Crossings, How
from tests.support.fault_runs import Home, go_on, kept_lines, tree_of

ROOT = Path(__file__).resolve().parents[2]
_REFUSED, _CRASHED = 4, 70


@dataclass(frozen=True)
class Outcome:
    """What came of one fault: `problem` is empty if the run survived it; `lost` counts recorded samples."""

    at: int
    how: How
    label: str
    problem: str = ""
    lost: int = 0


@dataclass(frozen=True)
class _End:
    """How a child ended: `signal` or `code`, what it said at last, and the sample lines promised to be kept."""

    status: int
    said: str
    promised: frozenset[bytes]


def enumerate_points(folder: Path, hows: Sequence[How], *, only: Sequence[str] = (), every: int = 1) -> list[Outcome]:
    """Every point times every way to fail, in a process of its own.

    Args:
        folder: where to run.
        hows: what happens at a point.
        only: points whose label holds one of these words; none means all.
        every: only each `every`-th of them.
    """
    words = ["--every", str(every)]
    words += [word for how in hows for word in ("--how", how.name)]
    words += [word for part in only for word in ("--only", part)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fault_kill", str(folder), *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    rows = (json.loads(line) for line in done.stdout.splitlines())
    return [Outcome(**{**row, "how": How(row["how"])}) for row in rows]


def _outcomes(folder: Path, hows: Sequence[How], only: Sequence[str], every: int) -> Iterator[Outcome]:
    labels = _dry_run(folder / "dry")
    wanted = [(at, label) for at, label in enumerate(labels, 1) if not only or any(word in label for word in only)]
    tries = [(at, how, label) for how in hows for at, label in wanted if how.fits(label)]
    for at, how, label in tries[::every]:
        home = folder / "try"
        try:
            problem, lost = _attempt(home, at, how)
            yield Outcome(at, how, label, problem, lost)
        finally:
            shutil.rmtree(home)


def _dry_run(home: Path) -> list[str]:
    """The labels of all crossings of an undisturbed run, made in a child: this process must stay without threads."""
    home.mkdir()
    crossings, labels = Crossings(home), home.parent / "labels"

    def record(whole: Home) -> None:
        with crossings.hooked():
            go_on(whole)
        labels.write_text("\n".join(crossings.crossed))

    end = _in_child(home, record)
    shutil.rmtree(home)
    if end.status:
        raise AssertionError(end.said)
    return labels.read_text().splitlines()


def _attempt(root: Path, at: int, how: How) -> tuple[str, int]:
    """Let it happen, look at what is left, go on, look again."""
    root.mkdir()
    crossings = Crossings(root, at, how)

    def doomed(home: Home) -> None:
        with crossings.hooked():
            go_on(home)

    first = _in_child(root, doomed)
    problems = [*_end_problems(first, how), *_commit_problems(root)]
    second = _in_child(root, lambda home: go_on(home) and None)
    if second.status:
        problems.append(f"did not go on: {second.said}")
    promised = first.promised | second.promised
    lost = len(promised - set[bytes]().union(*map(kept_lines, (root / "runs").iterdir())))
    return "; ".join([*problems, *_last_problems(root, lost)]), lost


def _end_problems(end: _End, how: How) -> Iterator[str]:
    if how.error:
        if os.WIFSIGNALED(end.status) or os.WEXITSTATUS(end.status) not in {0, _REFUSED}:
            yield f"no clear error: {end.said}"
    elif not (os.WIFSIGNALED(end.status) and os.WTERMSIG(end.status) == signal.SIGKILL):
        yield f"was not killed: {end.said}"


def _commit_problems(root: Path) -> Iterator[str]:
    """A bundle that has its statement in the store is whole, whatever happened."""
    for statement in (root / "evidence").rglob(STATEMENT):
        files = {name: data for name, data in tree_of(statement.parent).items() if not _is_temporary(name)}
        if not audited(files, Home(root).trust()).accepted:
            yield "committed and not whole"


def _last_problems(root: Path, lost: int) -> Iterator[str]:
    if lost:
        yield f"{lost} recorded samples lost"
    committed = list((root / "evidence").rglob(STATEMENT))
    if len(committed) != 1:
        yield f"{len(committed)} bundles in the store"
        return
    stored, local = tree_of(committed[0].parent), tree_of(root / "runs" / committed[0].parent.name)
    if stored != local:
        yield f"the store has other files: {sorted(stored.keys() ^ local.keys())[:3]}"
    if not (report := audited(stored, Home(root).trust())).accepted:
        yield f"refused: {refusals(report)}"


def _is_temporary(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


def _in_child(root: Path, work: Callable[[Home], None]) -> _End:
    """Do `work` in a forked process that may be killed; what it promised comes through a pipe."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _perform(root, work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        lines = stream.read().splitlines()
    _, status = os.waitpid(pid, 0)
    said = [line[1:].decode() for line in lines if line.startswith(b"!")]
    return _End(status, " ".join(said), frozenset(line for line in lines if line.startswith(b"{")))


def _perform(root: Path, work: Callable[[Home], None], pipe: int) -> None:
    code = _CRASHED
    try:
        work(Home(root, lambda line: os.write(pipe, line + b"\n")))
        code = 0
    except PrfpipeError as error:
        os.write(pipe, f"!{error.message}\n".encode())
        code = _REFUSED
    except BaseException:  # noqa: BLE001 - a traceback is what must not happen: it is told
        with suppress(OSError):
            os.write(pipe, b"!" + traceback.format_exc().replace("\n", " | ").encode()[-2000:] + b"\n")
    finally:
        os._exit(code)


def main() -> None:
    """One line of JSON an outcome."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--how", action="append", choices=How.__members__, required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args()
    hows = [How[name] for name in options.how]
    for outcome in _outcomes(options.folder.resolve(), hows, options.only, options.every):
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")


if __name__ == "__main__":
    main()
