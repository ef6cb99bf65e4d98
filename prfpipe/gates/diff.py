"""PRF-04: how long a compatibility diff of a project takes, for each case (size of the project, cold or incremental).

Every diff is of a state of the project that never was before. Time is this process's clock around the answer. A part of
the answers, which the subject cannot foresee, is compared with the gate's reference, outside of the time. Cases take
turns in sessions, each with a fresh process of the subject; its first diffs warm it up and do not count.
"""

import json
import random
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field

from prfpipe import host, profilers
from prfpipe.digests import canonical_json, derive_seed, sha256_hex
from prfpipe.errors import SubjectCrashError, SubjectProtocolError
from prfpipe.gates.measurement import GateContext, Sampled
from prfpipe.gates.params import bad_param, read_params
from prfpipe.lever.checks import file_problem
from prfpipe.models import GateTable, PythonSubject
from prfpipe.models.base import Record
from prfpipe.profilers import folded
from prfpipe.profilers.frames import Paths
from prfpipe.subject.child import Launch
from prfpipe.subject.process import Block, Subject, Workload
from prfpipe.subject.variants import python_argv, subject_environment

PROFILED_S = 5.0
"""How long diffs are profiled, by the sum of their times."""
_FEWEST_PROFILED = 3
_NS = 1_000_000_000


class DiffParams(Record):
    """`params` of PRF-04's gate.yaml.

    `world`: a Python file of the gate's folder with `operations` and `prepare` (docs/lever-folder.md, `workload.py`).
    `reference`: one with a `Subject` that knows the right answer. `cases`: the world's parameters by subject of the
    budgets. `session`: diffs of one process that count; `warm_up`: those before them, of which the first is shown.
    `verify_every`: one of so many answers is compared, and the last warm-up of each session.
    """

    world: str
    reference: str
    cases: dict[str, dict[str, Any]] = Field(min_length=1)
    session: Annotated[int, Field(ge=1, le=1000)] = 50
    warm_up: Annotated[int, Field(ge=1, le=100)] = 3
    verify_every: Annotated[int, Field(ge=1, le=100)] = 10


def open_measurement(context: GateContext) -> "Diff":
    """PRF-04's measuring.

    Raises:
        GateError: `params` are not valid, or the subject is no Python file.
    """
    gate, params = context.gate, read_params(context.gate, DiffParams)
    if not isinstance(gate.spec.subject, PythonSubject):
        raise bad_param(gate, "subject", "a diff is asked of a Python subject: give `python: FILE`")
    for name in ("world", "reference"):
        if problem := file_problem(gate.root, getattr(params, name), owner="gate"):
            raise bad_param(gate, f"params.{name}", problem)
    return Diff(context, params, gate.spec.subject.python)


class Diff(Sampled):
    """The world and the reference while they are open, and what was measured."""

    def __init__(self, context: GateContext, params: DiffParams, file: str) -> None:
        self.context, self.params, self.file = context, params, file
        self.seed = secrets.randbits(48)
        self.taken: dict[str, list[int]] = {name: [] for name in params.cases}
        self.first: dict[str, list[int]] = {name: [] for name in params.cases}
        self.verified = dict.fromkeys(params.cases, 0)
        self.sessions = 0
        self.cpus = {*host.available_cpus(), context.host.measuring_cpu}
        self._rng = random.Random(derive_seed(self.seed, "order", 0))
        self._seen: set[str] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        root = self.context.gate.root
        try:
            world = self._launch("world", python_argv("workload", self.params.world, root))
            self.world = self._stack.enter_context(Workload(world))
            reference = self._launch("reference", python_argv("subject", self.params.reference, root))
            self.reference = self._stack.enter_context(Subject(reference))
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def close(self) -> None:
        """See `Measurement.close`."""
        self._stack.close()

    def _launch(self, name: str, argv: tuple[str, ...]) -> Launch:
        home = self.context.scratch / name
        home.mkdir(exist_ok=True)
        environment = subject_environment(home, {"PYTHONHASHSEED": str(self._rng.randrange(2**32))})
        timeout = self.context.settings.subject_timeout_seconds
        return Launch(f"the {name} of PRF-04", argv, home, environment, timeout=timeout)

    # ---- sessions ---------------------------------------------------------------------------------------

    def take(self, count: int, subjects: Collection[str]) -> None:
        """See `Sampled.take`."""
        cases = [name for name in self.params.cases if name in subjects]
        left = dict.fromkeys(cases, count)
        while any(left.values()):
            for name in self._rng.sample(cases, len(cases)):
                size = min(left[name], self.params.session)
                done = 1 - sum(left.values()) / (count * len(cases))
                self.context.progress.say(f"PRF-04: {name}: {len(self.taken[name])} diffs so far", done=done)
                if size:
                    self._measure(name, size)
                    left[name] -= size

    def _measure(self, name: str, count: int) -> None:
        with self._session(name) as session:
            self._verify(name, session, self._warm_up(name, session))
            for _ in range(count):
                block = session.diff()
                self.taken[name].append(block.wall_ns)
                if self._rng.randrange(self.params.verify_every) == 0:
                    self._verify(name, session, block)

    def _warm_up(self, name: str, session: "_Session") -> Block:
        block = session.diff()
        self.first[name].append(block.wall_ns)
        for _ in range(self.params.warm_up - 1):
            block = session.diff()
        session.subject.settle()
        return block

    @contextmanager
    def _session(self, name: str, wrap: tuple[str, ...] = ()) -> Iterator["_Session"]:
        """A fresh subject, which may use every CPU, in an empty folder; all for one case."""
        folder = self.context.scratch / "work"
        folder.mkdir()
        params = self.params.cases[name]
        self.sessions += 1
        self.world.hello(params)
        self.world.stream(derive_seed(self.seed, name, self.sessions))
        self.reference.hello(params, folder)
        argv = python_argv("subject", self.file, self.context.gate.root, wrap)
        try:
            with host.on_cpus(self.cpus), ExitStack() as stack:
                subject = stack.enter_context(Subject(self._launch("subject", argv)))
                session = _Session(self, subject, folder)
                session.prepare()
                subject.hello(params, folder)
                with host.on_cpus(self.cpus - {self.context.host.measuring_cpu} or self.cpus):
                    yield session
                subject.close()
        finally:
            shutil.rmtree(folder)

    def fresh(self) -> object:
        """The next state; `SubjectProtocolError` where it was there before."""
        [operation] = self.world.next(1)
        digest = sha256_hex(canonical_json(operation))
        if digest in self._seen:
            raise SubjectProtocolError(
                f"{self.params.world}: an operation came again", hint="Every diff must be of a state never seen before."
            )
        self._seen.add(digest)
        return operation

    def _verify(self, name: str, session: "_Session", block: Block) -> None:
        right = self.reference.run([session.operation])
        if session.subject.results_of(block) != self.reference.results_of(right):
            raise SubjectCrashError(
                f"the subject of PRF-04 gave a wrong diff in {name}: not what {self.params.reference} finds",
                hint="A diff counts only if it is right: run the tests of the gate's folder.",
            )
        self.verified[name] += 1

    # ---- what was found ---------------------------------------------------------------------------------

    def samples(self) -> Mapping[str, Sequence[int]]:
        """See `Sampled.samples`."""
        return self.taken

    def also(self) -> Mapping[str, Sequence[int]]:
        """The first diff of each fresh process: with all that is loaded and made ready only then."""
        return {f"first/{name}": values for name, values in self.first.items() if values}

    def tables(self) -> Sequence[GateTable]:
        """The plan."""
        return (GateTable(title="Plan", columns=("what", "value"), rows=tuple(self._plan())),)

    def _plan(self) -> Iterator[tuple[str, str]]:
        params = self.params
        yield "seed", str(self.seed)
        yield "CPUs that the subject may use", str(len(self.cpus))
        yield (
            "a session",
            f"a fresh process; {params.warm_up} diffs to warm up, then at most {params.session} that count",
        )
        for name, found in params.cases.items():
            yield name, f"{json.dumps(found)}; {self.verified[name]} answers compared with the reference"

    def notes(self) -> Sequence[str]:
        """What the figures are about."""
        return (
            "The first diff of a fresh process is not in the figures: it is shown as first/…, and PRF-01 is about it.",
        )

    def profile(self, subject: str, folder: Path) -> bytes | None:
        """Folded stacks of the diffs of one case; of the subject's own process, not of those that it forks."""
        output = folder / "diff.folded"
        with self._session(subject, profilers.get("py-spy").wrap(output)) as session:
            for _ in range(self.params.warm_up):
                session.diff()
            session.subject.settle()
            times: list[int] = []
            while len(times) < _FEWEST_PROFILED or sum(times) < PROFILED_S * _NS:
                times.append(session.diff().wall_ns)
        paths = Paths(self.context.gate.root.parents[1])
        return folded.render(folded.operations_only(folded.read(output, paths.short)))


class _Session:
    """One process of the subject, and the state that it is to diff next."""

    def __init__(self, diff: Diff, subject: Subject, folder: Path) -> None:
        self._diff, self.subject, self.folder = diff, subject, folder
        self.operation: object = None
        self._is_prepared = False

    def prepare(self) -> None:
        """Put the next state into the folder; not timed."""
        self.operation = self._diff.fresh()
        self._diff.world.prepare(self.operation, self.folder)
        self._is_prepared = True

    def diff(self) -> Block:
        """One diff of a state that never was before."""
        if not self._is_prepared:
            self.prepare()
        self._is_prepared = False
        return self.subject.run([self.operation])
