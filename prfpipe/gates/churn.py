"""PRF-02: latencies by subsystem while extensions come and go, beside those of a subject whose extensions stay.

Both arms are fresh processes on the measuring CPU with equally many extensions and the same traffic; their segments are
interleaved. Operations are due at moments that were fixed before (`arrivals`), and a latency counts from there, so that
a stall shows in everything that was due meanwhile and not only in the operation that stalled.
"""

import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

import prfpipe
from prfpipe import profilers
from prfpipe.digests import derive_seed
from prfpipe.errors import ProfilerError, SubjectCrashError, SubjectProtocolError
from prfpipe.gates import arrivals, churn_tables
from prfpipe.gates.arrivals import ADD, ARMS, REMOVE, Arm, Step, Traffic
from prfpipe.gates.churn_tables import Process, Served
from prfpipe.gates.measurement import GateContext, Moment, Sampled
from prfpipe.gates.params import bad_param, read_params
from prfpipe.gates.plan_table import plan_table
from prfpipe.models import GateTable, PythonSubject
from prfpipe.models.base import Record, Sha256
from prfpipe.profilers import folded
from prfpipe.profilers.frames import WARM_UP, Frame, Paths, Stack
from prfpipe.subject.child import Launch
from prfpipe.subject.process import Subject
from prfpipe.subject.variants import python_argv, subject_environment

INSIDE = Path(prfpipe.__file__).parent / "gates" / "inside"
DRIVER = "open_loop.py"
PROFILED_S = 6.0
_MS = 1_000_000
_Count = Annotated[int, Field(ge=1, le=10_000)]


class ChurnParams(Record):
    """`params` of PRF-02's gate.yaml.

    In each cycle of `cycle_ms` so many operations of each kind are due as `per_cycle` says, and under churn one
    extension comes and one goes; `cycles` make a segment. `extensions` are there from the beginning. `warm_up`:
    segments of each arm that come first and are never counted. `subject`: what the subject wants to know besides.
    """

    extensions: _Count
    cycle_ms: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
    cycles: _Count = 10
    per_cycle: dict[str, _Count] = Field(min_length=1)
    warm_up: _Count = 2
    subject: dict[str, Any] = Field(default_factory=dict)


class Segment(Record):
    """What the driver says of a segment: ns since its `origin` (CLOCK_MONOTONIC) at which each step began and ended.

    `pauses`: when the garbage collector stopped it and how long. `answers`: a digest for each kind whose answers do not
    depend on who comes and goes. `facts`: the subject's own counts.
    """

    origin: int
    times: tuple[tuple[int, int], ...]
    pauses: tuple[tuple[int, int], ...]
    answers: dict[str, Sha256]
    facts: dict[str, int]


def open_measurement(context: GateContext) -> "Churn":
    """PRF-02's measuring.

    Raises:
        GateError: `params` are not valid, or the subject is no Python file.
    """
    gate, params = context.gate, read_params(context.gate, ChurnParams)
    if twice := {ADD, REMOVE} & params.per_cycle.keys():
        raise bad_param(gate, "params.per_cycle", f"{min(twice)} is due once in each cycle already")
    if not isinstance(gate.spec.subject, PythonSubject):
        raise bad_param(gate, "subject", "churn is measured inside of a Python subject: give `python: FILE`")
    return Churn(context, params, gate.spec.subject.python)


@dataclass
class _Arm:
    """One running subject and everything that it has served."""

    name: Arm
    subject: Subject
    served: list[Served]
    pauses: list[int]
    facts: dict[str, int]
    segments: int = 0
    peak_rss_kib: int = 0
    behind_ns: int = 0


class Churn(Sampled):
    """Both arms while they run."""

    def __init__(self, context: GateContext, params: ChurnParams, file: str) -> None:
        self.context, self.params, self.file = context, params, file
        self.traffic = Traffic(round(params.cycle_ms * _MS), params.cycles, params.per_cycle)
        self.seed = secrets.randbits(48)
        self._rng = random.Random(derive_seed(self.seed, "order", 0))
        self._order = list(ARMS)
        self._stack = ExitStack()
        self._first_ns: int | None = None
        self._profiled = b""
        self.arms: dict[Arm, _Arm] = {}

    def __enter__(self) -> Self:
        self._plan = plan_table(self.context, self._planned())
        try:
            for name in ARMS:
                self.context.progress.say(f"PRF-02: starting the {name} subject")
                self.arms[name] = _Arm(name, self._start(self._stack, name, self.context.scratch), [], [], {})
            for number in range(self.params.warm_up):
                self.context.progress.say(f"PRF-02: segment {number + 1} of {self.params.warm_up} to warm up")
                for arm in self.arms.values():
                    self._serve(arm)
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def close(self) -> None:
        """See `Measurement.close`."""
        self._stack.close()

    def _start(self, stack: ExitStack, name: str, folder: Path, wrap: tuple[str, ...] = ()) -> Subject:
        workdir = folder / name
        workdir.mkdir()
        root = self.context.gate.root
        launch = Launch(
            name=f"the {name} subject of PRF-02",
            argv=python_argv("subject", DRIVER, INSIDE, wrap),
            cwd=workdir,
            environment=subject_environment(workdir, {"PYTHONHASHSEED": str(self.seed % 2**32)}),
            timeout=self.context.settings.subject_timeout_seconds,
            cpu=None if wrap else self.context.host.measuring_cpu,
        )
        params = {"extensions": self.params.extensions, "seed": self.seed, **self.params.subject}
        subject = stack.enter_context(Subject(launch))
        subject.hello({"file": self.file, "tree": str(root), "params": params}, workdir)
        return subject

    def take(self, count: int, subjects: Collection[str]) -> None:
        """See `Sampled.take`: as many cycles of both arms as give so many samples of each of the subjects."""
        cycles = self.traffic.cycles_for(count, sorted(subjects))
        segments = -(-cycles // self.traffic.cycles)
        for number in range(segments):
            left = 2 * (segments - number) * self.traffic.cycles * self.params.cycle_ms / 1000
            done = sum(arm.segments - self.params.warm_up for arm in self.arms.values())
            text = f"PRF-02: {done * self.traffic.cycles} cycles served"
            self.context.progress.say(text, done=number / segments, remaining=left)
            # Every second pair in the reverse order of the one before, so that drift cancels.
            self._order = self._order[::-1] if number % 2 else self._rng.sample(ARMS, 2)
            answers = {name: self._take_segment(self.arms[name]) for name in self._order}
            _refuse_other_answers(answers["static"], answers["churn"])

    def _take_segment(self, arm: _Arm) -> dict[str, str]:
        steps, found = self._serve(arm)
        self._first_ns = found.origin if self._first_ns is None else self._first_ns
        start, length = found.origin - self._first_ns, self.traffic.cycle_ns * self.traffic.cycles
        waited, arm.behind_ns = arrivals.back_to_back(found.times, arm.behind_ns, length)
        arm.served += [
            Served(kind, start + due, at - due, ended - begun, _collected(found, begun, ended))
            for (due, kind, _), at, (begun, ended) in zip(steps, waited, found.times, strict=True)
        ]
        arm.pauses += [took for _, took in found.pauses]
        arm.facts, arm.peak_rss_kib = found.facts, arm.subject.peak_rss_kib()
        return found.answers

    def _serve(self, arm: _Arm) -> tuple[list[Step], Segment]:
        # The same seed for both arms: what is due is the same, but for what comes and goes.
        seed = derive_seed(self.seed, "segment", arm.segments)
        steps = arrivals.segment(self.traffic, arm.name, arm.segments, seed)
        arm.segments += 1
        return steps, _served(arm.subject, steps)

    def samples(self) -> Mapping[str, Sequence[int]]:
        """See `Sampled.samples`: latencies under churn, from when each was due."""
        return churn_tables.latencies(self.arms["churn"].served)

    def also(self) -> Mapping[str, Sequence[int]]:
        """Latencies of the static arm; and under churn, without the wait before an operation began."""
        static = churn_tables.latencies(self.arms["static"].served)
        service: dict[str, list[int]] = {}
        for served in self.arms["churn"].served:
            service.setdefault(served.kind, []).append(served.service_ns)
        return {
            **{f"static/{kind}": values for kind, values in static.items()},
            **{f"service/{kind}": values for kind, values in service.items()},
        }

    def timeline(self) -> Sequence[Moment]:
        """See `Measurement.timeline`: both arms, in the order in which operations were due."""
        words = {ADD: "add", REMOVE: "remove"}
        moments = [
            Moment(item.due_ns, item.latency_ns, words.get(item.kind, arm.name), item.kind, judged=arm.name == "churn")
            for arm in self.arms.values()
            for item in arm.served
        ]
        return sorted(moments, key=lambda moment: moment.at_ns)

    def tables(self) -> Sequence[GateTable]:
        """The plan, ratios to static, the longest latencies and what they waited for, what churn leaves behind."""
        static, churn = self.arms["static"], self.arms["churn"]
        return (
            self._plan,
            churn_tables.ratios(static.served, churn.served),
            churn_tables.spikes(churn.served),
            churn_tables.processes(self._processes()),
        )

    def _processes(self) -> list[Process]:
        segment_ns = self.traffic.cycle_ns * self.traffic.cycles
        return [
            Process(
                arm.name,
                arm.served,
                arm.pauses,
                arm.facts,
                arm.peak_rss_kib,
                (arm.segments - self.params.warm_up) * segment_ns,
            )
            for arm in (self.arms[name] for name in ARMS)
        ]

    def _planned(self) -> Sequence[tuple[str, str]]:
        params = self.params
        due = ", ".join(f"{count} {kind}" for kind, count in params.per_cycle.items())
        return (
            ("seed", str(self.seed)),
            ("extensions in both arms", str(params.extensions)),
            ("due in a cycle", f"{due}; under churn also 1 {ADD} and 1 {REMOVE}"),
            ("a cycle", f"{params.cycle_ms:g} ms, whatever was answered"),
            ("a segment", f"{params.cycles} cycles; the arms take turns in random balanced order"),
            ("segments to warm up, not counted", f"{params.warm_up} of each arm"),
            ("parameters of the subject", json.dumps(params.subject)),
        )

    def notes(self) -> Sequence[str]:
        """What the figures are about."""
        return (
            "A latency counts from when its operation was due: what a stall delays is in it (open loop).",
            "What an arm is behind at the end of a segment is added to the next one's waits.",
            "Bounds take samples for independent; operations that waited for the same stall are not quite.",
            *churn_tables.overload(self._processes()),
        )

    def profile(self, subject: str, folder: Path) -> bytes | None:
        """Folded stacks of the whole traffic under churn, back to back: what is slow for one subsystem may be another.

        py-spy slows a subject down, which is why this is never timed.
        """
        if not self._profiled:
            output = folder / "churn.folded"
            with ExitStack() as stack:
                wrap = profilers.get("py-spy").wrap(output)
                self._run_profiled(self._start(stack, "profiled", folder, wrap))
            paths = Paths(self.context.gate.root.parents[1])
            self._profiled = folded.render(_only_served(folded.read(output, paths.short)))
        return self._profiled

    def _run_profiled(self, subject: Subject) -> None:
        self.context.progress.say(f"PRF-02: {PROFILED_S:g} s of churn under py-spy")
        arm = _Arm("churn", subject, [], [], {})
        self._serve(arm)
        subject.settle()
        deadline = time.monotonic() + PROFILED_S
        while time.monotonic() < deadline:
            steps = arrivals.segment(self.traffic, arm.name, arm.segments, derive_seed(self.seed, "p", arm.segments))
            arm.segments += 1
            _served(subject, [(0, kind, number) for _, kind, number in steps])
        subject.close()


def _served(subject: Subject, steps: Sequence[Step]) -> Segment:
    """Have a subject serve a segment, and check what the driver says of it against this process's clock.

    Raises:
        SubjectProtocolError: it cannot have been so.
    """
    before = time.perf_counter_ns()
    block = subject.run([list(steps)])
    after = time.perf_counter_ns()
    [result] = subject.results_of(block)
    try:
        found = Segment.model_validate_json(json.dumps(result))
    except ValidationError as error:
        raise SubjectProtocolError(f"PRF-02's driver answered {error.errors()[0]['msg']}", hint=_FORGED) from error
    ends = [found.origin + ended for _, ended in found.times]
    in_turn = [time for begun, ended in found.times for time in (begun, ended)]
    if len(ends) != len(steps) or in_turn != sorted(in_turn) or not before <= found.origin <= ends[-1] <= after:
        raise SubjectProtocolError("PRF-02's driver gave times that cannot be", hint=_FORGED)
    if any(begun < due for (due, _, _), (begun, _) in zip(steps, found.times, strict=True)):
        raise SubjectProtocolError("PRF-02's driver began an operation before it was due", hint=_FORGED)
    return found


def _collected(found: Segment, begun: int, ended: int) -> int:
    """How long the garbage collector stopped what ran between these moments."""
    return sum(took for at, took in found.pauses if begun <= at < ended)


def _refuse_other_answers(static: Mapping[str, str], churn: Mapping[str, str]) -> None:
    """What does not depend on who comes and goes must be answered in both arms alike."""
    for kind in dict.fromkeys([*static, *churn]):
        if static.get(kind) != churn.get(kind):
            raise SubjectCrashError(
                f"PRF-02: {kind} answers something else while extensions come and go",
                hint="A latency counts only if the answer is right: compare the subject's answers in both arms.",
            )


_FORGED = "Does the subject replace time.perf_counter_ns, or sys.modules?"


def _only_served(stacks: Mapping[Stack, int]) -> Counter[Stack]:
    kept: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        at = next((at for at, frame in enumerate(stack) if _is_driver(frame, "serve")), len(stack))
        below = stack[at + 1 :]
        if below and WARM_UP not in stack[:at] and not _is_driver(below[0], "wait_until"):
            kept[below] += count
    if not kept:
        raise ProfilerError("py-spy saw no operation", hint="They may be too short to be seen.")
    return kept


def _is_driver(frame: Frame, function: str) -> bool:
    return frame.function == function and frame.file.endswith(DRIVER)
