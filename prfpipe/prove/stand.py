"""The stand on which a proof runs: fresh subjects side by side in worlds of their own, and their judge."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from prfpipe.errors import SubjectCrashError, SubjectError, SubjectProtocolError
from prfpipe.models import LeverSpec
from prfpipe.prove.text import first_difference
from prfpipe.subject.process import Block, Subject, Workload
from prfpipe.subject.variants import VariantName, subject_launch, workload_launch

T = TypeVar("T")
_EXHIBITS = 3  # results that each sequence of operations gives to the self-test


@dataclass(frozen=True)
class Side:
    """One of the subjects that answer the same operations; `wrap` as in `subject_launch`, writing `wrap_output`."""

    variant: VariantName
    label: str
    wrap: tuple[str, ...] = ()
    wrap_output: tuple[Path, ...] = ()


BASELINE = Side("baseline", "baseline")
CANDIDATE = Side("candidate", "candidate")
BASELINE_AGAIN = Side("baseline", "baseline again")


@dataclass(frozen=True)
class Exhibit:
    """A real result for the oracle's self-test; `previous` holds the one before it in its sequence."""

    operation: object
    result: object
    previous: tuple[object, ...]


@dataclass(frozen=True)
class Stand:
    """What every part of a proof shares. `exhibits` collects real results as they come."""

    spec: LeverSpec
    tree: Path
    scratch: Path
    seed: int
    timeout: float
    progress: Callable[[str], None]
    exhibits: list[Exhibit] = field(default_factory=list)

    @contextmanager
    def workload(self, params: Mapping[str, Any]) -> Iterator[Workload]:
        """The lever's workload, ready for `params`."""
        with (
            self._folder() as home,
            Workload(workload_launch(self.spec, self.tree, home, timeout=self.timeout)) as workload,
        ):
            workload.hello(params)
            yield workload
            workload.ask({"type": "close"}, "closed")

    @contextmanager
    def lineup(
        self, sides: Sequence[Side], workload: Workload, params: Mapping[str, Any], first: object
    ) -> Iterator["Lineup"]:
        """Fresh subjects, ready for operations, each in an empty folder prepared for the `first` one."""
        with ExitStack() as stack:
            home = stack.enter_context(self._folder())
            workdirs = [home / str(number) for number in range(len(sides))]
            for workdir in workdirs:
                workdir.mkdir()
                workload.prepare(first, workdir, params)
            pool = stack.enter_context(ThreadPoolExecutor(len(sides)))
            placed = list(zip(sides, workdirs, strict=True))
            crew = [(stack.enter_context(self._subject(side, workdir)), workdir) for side, workdir in placed]
            lineup = Lineup(crew, workload, params, pool, self.exhibits)
            lineup.start()
            yield lineup
            lineup.close()

    def _subject(self, side: Side, workdir: Path) -> Subject:
        environment = {"PYTHONHASHSEED": str(derive(self.seed, "hash", side.label) % 2**32)}
        launch = subject_launch(
            self.spec,
            side.variant,
            self.tree,
            workdir,
            timeout=self.timeout,
            name=f"{self.spec.id} {side.label}",
            extra_environment=environment,
            wrap=side.wrap,
        )
        return Subject(launch.confined(writable=side.wrap_output))

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        with TemporaryDirectory(dir=self.scratch, ignore_cleanup_errors=True) as folder:
            yield Path(folder)


@dataclass
class Lineup:
    """Running subjects that answer the same operations at the same time, with a workdir each.

    `changes`: which of them changed the last operation that they were given, in the order of the sides.

    Only talking to them goes through `pool`: they are spawned by the caller's thread, since the kernel kills
    them when the thread that spawned them ends.
    """

    crew: Sequence[tuple[Subject, Path]]
    workload: Workload
    params: Mapping[str, Any]
    pool: ThreadPoolExecutor
    exhibits: list[Exhibit]
    changes: list[bool] = field(default_factory=list)
    _answered: int = 0
    _previous: tuple[object, ...] = ()

    def start(self) -> None:
        """Greet all subjects."""
        self._all(lambda subject, workdir: subject.hello(self.params, workdir))

    def answer(self, operation: object) -> list[object]:
        """Each side's result, in the order of the sides, in a world that is put right before.

        Raises:
            SubjectError: a side failed; of several the first.
        """
        answers = self.outcomes(operation)
        for failure in answers:
            if isinstance(failure, SubjectError):
                raise failure
        if self._answered <= _EXHIBITS:
            self.exhibits.append(Exhibit(operation, answers[0], self._previous))
        self._previous = (answers[0],)
        return answers

    def outcomes(self, operation: object) -> list[object]:
        """Like `answer`, with a side's `SubjectError` in the place of a result."""
        where = f"operation {self._answered}"
        with naming(where):
            self._prepare(operation)
        self._answered += 1
        found = self._all(lambda subject, _: _one_outcome(subject, operation, where))
        self.changes = [changed for _, changed in found]
        return [outcome for outcome, _ in found]

    def _prepare(self, operation: object) -> None:
        if self._answered:  # the first world was put right before the subjects started
            for _, workdir in self.crew:
                self.workload.prepare(operation, workdir, self.params)

    def settle(self) -> None:
        """Tell all subjects that their warm-up is over, as a measurement does."""
        self._all(lambda subject, _: subject.settle())

    def close(self) -> None:
        """End all subjects in good order; a profiler or coverage.py writes its file only then."""
        self._all(lambda subject, _: subject.close())

    def _all(self, ask: Callable[[Subject, Path], T]) -> list[T]:
        asked = [self.pool.submit(ask, subject, workdir) for subject, workdir in self.crew]
        # All first: a pipe must not be closed while a thread still waits on it.
        wait(asked)
        return [future.result() for future in asked]


def _one_outcome(subject: Subject, operation: object, where: str) -> tuple[object, bool]:
    """A result or what went wrong, and whether the operation was changed."""
    try:
        with naming(where):
            block = subject.run([operation], look_back=True)
            return _one_result(subject, block), not subject.keeps(block, [operation])
    except SubjectError as error:
        return error, False


def _one_result(subject: Subject, block: Block) -> object:
    results = subject.results_of(block)
    if len(results) != 1:
        raise SubjectProtocolError(
            f"{subject.launch.name} sent {len(results)} results for one operation",
            hint="docs/subject-protocol.md: one result for each operation, in their order.",
        )
    return results[0]


def against(lineup: "Lineup", answers: Sequence[object], at: int, names: tuple[str, str]) -> str | None:
    """What the oracle says against one side of a lineup whose first is the baseline."""
    if lineup.changes[at] and not lineup.changes[0]:
        return f"the {names[1]} changes the operation that it was given, the {names[0]} does not"
    return difference(lineup.workload, answers[0], answers[at], names)


def difference(workload: Workload, expected: object, found: object, names: tuple[str, str]) -> str | None:
    """What the oracle says against `found`: None, or where its canonical bytes part from those of `expected`.

    Raises:
        SubjectCrashError: `canonical` raises on `expected` too, or the workload went away.
    """
    right = digest_or_refusal(workload, found)
    if workload.digests([expected]) == [right]:
        return None
    if isinstance(right, Refusal):
        return f"canonical() does not take what {names[1]} has: {right.message}"
    left, other = workload.texts([expected, found])
    return first_difference(left, other, names)


@dataclass(frozen=True)
class Refusal:
    """`canonical` raised on a result, which is therefore like no other."""

    message: str


def digest_or_refusal(workload: Workload, result: object) -> str | Refusal:
    """The digest of a result that may be of any shape."""
    try:
        return workload.digests([result])[0]
    except SubjectCrashError as error:
        workload.digests([])  # raises where the workload is gone rather than at odds with this result
        return Refusal(error.message)


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Say in a subject's failure where in the proof it happened."""
    try:
        yield
    except SubjectError as error:
        error.message = f"{error.message} (in {where})"
        error.args = (error.message,)
        raise


def derive(seed: int, *parts: str) -> int:
    """A seed of 48 bits for one use; never one that a measurement derives, since those have other parts."""
    text = "/".join(("prove", str(seed), *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
