"""PRF-01: how long a program takes from its spawn until it has answered its first operation.

Each start is a fresh process on the measuring CPU in a fresh copy of its state; time is taken by this process's clock,
CPU time from the kernel. The gate's own subject marks the ends of its phases and answers an operation that it could
not know; its answer is checked. Any other program is ready when it says so on stdout, or ends well.
"""

import json
import random
import secrets
import shlex
import shutil
import sys
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from prfpipe import profilers
from prfpipe.digests import derive_seed
from prfpipe.errors import ProfilerError, SubjectCrashError, SubjectProtocolError
from prfpipe.gates.guard import Guard
from prfpipe.gates.measurement import GateContext, Sampled
from prfpipe.gates.params import bad_param, read_params
from prfpipe.gates.plan_table import plan_table
from prfpipe.gates.spawn import Program, Start, start
from prfpipe.lever.checks import file_problem
from prfpipe.models import CommandSubject, DeploymentProfile, GateTable, PythonSubject
from prfpipe.models.base import Record
from prfpipe.plan import words_without_secrets
from prfpipe.profilers import folded
from prfpipe.profilers.frames import Paths, Stack
from prfpipe.subject.child import Launch
from prfpipe.subject.process import Workload
from prfpipe.subject.variants import PADDING_VARIABLE, python_argv, subject_environment

LAST_PHASE = "answer arrives"
PROFILED_STARTS = 30
"""Starts under py-spy: about a thousand samples of a start that takes 60 ms."""
_LINGER_S = 0.5
_MAX_PADDING = 4096
_SHOWN = 120
_IMPORT_MACHINERY = "<frozen importlib"


class ColdStartParams(Record):
    """`params` of PRF-01's gate.yaml.

    `world`: a Python file of the gate's folder with `operations` and `prepare` (docs/lever-folder.md, `workload.py`);
    each operation is `{"request": ..., "answer": ...}`. `worlds`: its parameters by deployment profile. `warm_up`:
    starts that are made first and never counted. `ready`: what the readiness line of a command contains.
    """

    world: str = ""
    worlds: dict[DeploymentProfile, dict[str, Any]] = Field(default_factory=dict)
    warm_up: Annotated[int, Field(ge=1, le=100)] = 3
    ready: str = ""


class Readiness(Record):
    """What the gate's own subject prints: the ends of its phases (CLOCK_MONOTONIC, ns) and its first answer."""

    marks: tuple[tuple[str, int], ...] = Field(min_length=1)
    answer: Any


def open_measurement(context: GateContext) -> "ColdStart":
    """PRF-01's measuring: of the command in the options if there is one, else of the gate's subject.

    Raises:
        GateError: `params` are not valid.
    """
    gate, params = context.gate, read_params(context.gate, ColdStartParams)
    if context.options.command or isinstance(gate.spec.subject, CommandSubject):
        return AnyProgram(context, params)
    if not isinstance(gate.spec.subject, PythonSubject):
        raise bad_param(gate, "subject", "a lever is no subject of a cold start: give `python` or `command`")
    if problem := file_problem(gate.root, params.world or "params.world", owner="gate"):
        raise bad_param(gate, "params.world", problem)
    return OwnSubject(context, params, gate.spec.subject.python)


class ColdStart(Sampled):
    """What both kinds of program have in common: starts, their times, the plan."""

    def __init__(self, context: GateContext, params: ColdStartParams) -> None:
        self.context, self.params = context, params
        self.seed = secrets.randbits(48)
        self.starts: list[Start] = []
        self.mark = secrets.token_hex(16)
        self._stack = ExitStack()
        self._rng = random.Random(derive_seed(self.seed, "environment", 0))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(Guard(self.mark))
            self.open(stack)
            self._plan = plan_table(self.context, self.plan())
            for number in range(self.params.warm_up):
                self.context.progress.say(f"PRF-01: start {number + 1} of {self.params.warm_up} to warm up")
                self.warm_up()
            self._stack = stack.pop_all()
        return self

    def open(self, stack: ExitStack) -> None:
        """Make ready what all starts need; `stack` closes it."""

    def close(self) -> None:
        """See `Measurement.close`."""
        self._stack.close()

    def warm_up(self) -> None:
        """One start that does not count; it is looked on whether it fails late."""
        start(self.program(), linger=_LINGER_S)

    @abstractmethod
    def program(self) -> Program:
        """What the next start starts."""

    def accept(self, found: Start) -> None:
        """Check what a start gave before it counts."""

    def take(self, count: int, subjects: Collection[str]) -> None:
        """See `Sampled.take`: each start gives a sample of wall time and one of CPU time."""
        before = len(self.starts)
        for number in range(count):
            self.context.progress.say(f"PRF-01: cold start {before + number + 1}", done=number / count)
            found = start(self.program())
            self.accept(found)
            self.starts.append(found)

    def samples(self) -> Mapping[str, Sequence[int]]:
        """See `Sampled.samples`."""
        return {"wall": [found.wall_ns for found in self.starts], "cpu": [found.cpu_ns for found in self.starts]}

    def tables(self) -> Sequence[GateTable]:
        """The plan, as it was fixed before the first start."""
        return (self._plan,)

    def plan(self) -> Iterator[tuple[str, str]]:
        """What this gate fixes before the first start."""
        yield "seed", str(self.seed)
        yield "starts to warm up, not counted", str(self.params.warm_up)

    def notes(self) -> Sequence[str]:
        """What the figures are about."""
        return (
            "Wall time runs from the spawn until the readiness line was read, by the gate's clock.",
            "CPU time is user and system time of the process (wait4), until it was ended right after that.",
            f"Files are warm: {self.params.warm_up} starts that do not count left them in the page cache.",
            "Bytecode caches are there, where these starts could write them. A start from a cold disk takes longer.",
            "Each start: a new process group, an allow-listed environment with a new hash seed and a new size.",
        )

    def environment(self, home: Path) -> dict[str, str]:
        """The allow-listed environment of one start (Mytkowicz et al. 2009: its size shifts memory layouts)."""
        extra = {
            "PYTHONHASHSEED": str(self._rng.randrange(2**32)),
            PADDING_VARIABLE: "x" * self._rng.randrange(_MAX_PADDING),
        }
        return subject_environment(home, extra)

    def measured_on(self) -> tuple[float, int]:
        """Longest wait and CPU of a start."""
        return self.context.settings.subject_timeout_seconds, self.context.host.measuring_cpu


class AnyProgram(ColdStart):
    """A program that prints a readiness line or ends."""

    def program(self) -> Program:
        """See `ColdStart.program`."""
        timeout, cpu = self.measured_on()
        # A new one for each start: what a program keeps at home would be there for all starts but the first.
        home = self.context.scratch / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        return Program(
            name=_short(shlex.join(words_without_secrets(self.argv))),
            argv=self.argv,
            cwd=Path.cwd() if self.context.options.command else self.context.gate.root,
            environment=self.environment(home),
            timeout=timeout,
            is_ready=partial(_contains, self.ready.encode()),
            cpu=cpu,
            may_end=not self.ready,
            mark=self.mark,
        )

    @property
    def argv(self) -> tuple[str, ...]:
        """The command of the options, else that of the gate."""
        subject = self.context.gate.spec.subject
        return self.context.options.command or (subject.command if isinstance(subject, CommandSubject) else ())

    @property
    def ready(self) -> str:
        """What the readiness line contains; empty: the first line is it."""
        return self.context.options.ready or self.params.ready

    def plan(self) -> Iterator[tuple[str, str]]:
        """See `ColdStart.plan`."""
        yield "program", shlex.join(words_without_secrets(self.argv))
        yield "ready", f"a line with {self.ready!r}" if self.ready else "its first line, or its end with exit code 0"
        yield from super().plan()


def _contains(text: bytes, line: bytes) -> bool:
    return text in line


class OwnSubject(ColdStart):
    """The gate's own subject, in a fresh copy of its world for each start."""

    def __init__(self, context: GateContext, params: ColdStartParams, file: str) -> None:
        super().__init__(context, params)
        self.file = file
        self.marks: list[tuple[tuple[str, int], ...]] = []
        self._answer: Any = None

    def open(self, stack: ExitStack) -> None:
        """See `ColdStart.open`: the world's process."""
        root, home = self.context.gate.root, self.context.scratch / "world"
        home.mkdir()
        timeout, _ = self.measured_on()
        argv = python_argv("workload", self.params.world, root)
        launch = Launch("the world of PRF-01", argv, home, subject_environment(home), timeout=timeout)
        self.world = stack.enter_context(Workload(launch))
        self.world.hello(self.params.worlds.get(self.context.profile, {}))
        self.world.stream(derive_seed(self.seed, "operations", 0))

    def program(self) -> Program:
        """See `ColdStart.program`; puts its world in place, which is not timed."""
        folder = self.context.scratch / "state"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        [operation] = self.world.next(1)
        if not isinstance(operation, dict) or operation.keys() != {"request", "answer"}:
            raise SubjectProtocolError(
                f"{self.params.world}: an operation that is not {{request, answer}}", hint="docs/gates.md, `PRF-01`."
            )
        self.world.prepare(operation, folder)
        self._answer = operation["answer"]
        timeout, cpu = self.measured_on()
        return Program(
            name="the subject of PRF-01",
            argv=(sys.executable, "-P", str(self.context.gate.root / self.file)),
            cwd=folder,
            environment=self.environment(folder),
            timeout=timeout,
            is_ready=_is_document,
            cpu=cpu,
            request=json.dumps(operation["request"]).encode() + b"\n",
            mark=self.mark,
        )

    def warm_up(self) -> None:
        """See `ColdStart.warm_up`; its answer is checked as well."""
        self._read(start(self.program()))

    def accept(self, found: Start) -> None:
        """See `ColdStart.accept`."""
        self.marks.append(self._read(found))

    def _read(self, found: Start) -> tuple[tuple[str, int], ...]:
        try:
            readiness = Readiness.model_validate_json(found.line or b"")
        except ValidationError as error:
            raise SubjectProtocolError(
                f"the subject of PRF-01 printed {(found.line or b'')[:80]!r}", hint="docs/gates.md, `PRF-01`."
            ) from error
        if readiness.answer != self._answer:
            raise SubjectCrashError(
                f"the subject of PRF-01 gave a wrong first answer: {_json(readiness.answer)} instead of "
                f"{_json(self._answer)}",
                hint="A start counts only if what it starts works.",
            )
        self._check_marks(readiness.marks, found)
        return readiness.marks

    def _check_marks(self, marks: tuple[tuple[str, int], ...], found: Start) -> None:
        times = [found.spawned_ns, *(at for _, at in marks), found.ready_ns]
        names = [name for name, _ in marks]
        before = [name for name, _ in self.marks[0]] if self.marks else names
        if times != sorted(times) or len({*names, LAST_PHASE}) <= len(names) or names != before:
            raise SubjectProtocolError(
                f"the subject of PRF-01 sent marks that cannot be: {marks}",
                hint="Marks are CLOCK_MONOTONIC in order, between spawn and answer, the same names each time.",
            )

    def phases(self) -> Mapping[str, Mapping[str, Sequence[int]]]:
        """See `Measurement.phases`: of the wall time, each from the mark before it."""
        found: dict[str, list[int]] = {}
        for begun, marks in zip(self.starts, self.marks, strict=True):
            before = begun.spawned_ns
            for name, at in (*marks, (LAST_PHASE, begun.ready_ns)):
                found.setdefault(name, []).append(at - before)
                before = at
        return {"wall": found}

    def plan(self) -> Iterator[tuple[str, str]]:
        """See `ColdStart.plan`."""
        yield "world", json.dumps(self.params.worlds.get(self.context.profile, {}))
        yield from super().plan()

    def profile(self, subject: str, folder: Path) -> bytes | None:
        """Folded stacks of many starts under py-spy, without the frames of the import machinery."""
        profiler = profilers.get("py-spy")
        paths, stacks = Paths(self.context.gate.root.parents[1]), Counter[Stack]()
        for number in range(PROFILED_STARTS):
            self.context.progress.say(f"PRF-01: start {number + 1} of {PROFILED_STARTS} under py-spy")
            output = folder / f"start-{number}.folded"
            program = self.program()
            start(replace(program, argv=(*profiler.wrap(output), program.argv[-1]), cpu=None), in_peace=True)
            if output.stat().st_size:
                stacks.update(_without_machinery(folded.read(output, paths.short)))
        if not stacks:
            raise ProfilerError("py-spy saw none of the starts", hint="They may be too short to be seen.")
        return folded.render(stacks)


def _is_document(line: bytes) -> bool:
    return line.startswith(b"{")


def _without_machinery(stacks: Mapping[Stack, int]) -> Counter[Stack]:
    """Imports show as the modules that they run: what finds and loads them would stand between all of them."""
    kept: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        own = tuple(frame for frame in stack if not frame.file.startswith(_IMPORT_MACHINERY))
        kept[own or stack[:1]] += count
    return kept


def _json(value: object) -> str:
    return _short(json.dumps(value, default=repr))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
