"""Schedule -> stream of samples: fresh processes, one core, random balanced blocks, two clocks.

The unit of replication is the invocation (Kalibera & Jones 2013): fresh processes of all arms, a new hash seed and
a new size of the environment (Mytkowicz et al. 2009). Within it, short blocks of the arms are interleaved, every
second round in the reverse order of the one before (ABC CBA), so that drift cancels.
"""

import hashlib
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prfpipe.digests import derive_seed
from prfpipe.models import Arm, ArmSamples, Invocation, LeverSpec, Scenario, Schedule
from prfpipe.plan import MAX_SAMPLES
from prfpipe.subject.process import Block, Subject, Workload
from prfpipe.subject.variants import PADDING_VARIABLE, subject_launch, workload_launch

BLOCK_NS = 2_000_000
SAMPLE_NS = 20_000
INVOCATION_NS = 100_000_000
MAX_ROUNDS = 80
_MAX_PADDING = 4096


@dataclass(frozen=True)
class Bench:
    """Where and what to measure: a tree for each arm, a scratch folder, the measuring CPU.

    `hidden`: what no subject may read: seeds of the inputs to come, keys, what other arms have answered.
    """

    spec: LeverSpec
    trees: Mapping[Arm, Path]
    scratch: Path
    cpu: int | None
    timeout: float
    hidden: tuple[Path, ...] = ()

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms of this measurement."""
        return tuple(self.trees)


@contextmanager
def workload_for(bench: Bench, scenario: Scenario) -> Iterator[Workload]:
    """The lever's workload, ready for one scenario; it runs off the measuring CPU and is never timed."""
    home = bench.scratch / "workload"
    home.mkdir(parents=True, exist_ok=True)
    launch = workload_launch(bench.spec, next(iter(bench.trees.values())), home, timeout=bench.timeout)
    with Workload(launch) as workload:
        workload.hello(scenario.params)
        yield workload
        workload.ask({"type": "close"}, "closed")


def measure(
    bench: Bench,
    scenario: Scenario,
    schedule: Schedule,
    seed: int,
    enough: Callable[[list[Invocation]], bool],
) -> Iterator[Invocation]:
    """Measure one scenario, an invocation at a time, until `enough` says so of what has been measured.

    `Invocation.elapsed_ns` counts from the first spawn of this scenario.

    Raises:
        SubjectError: a subject failed; what was yielded before stays valid.
    """
    done: list[Invocation] = []
    start = time.perf_counter_ns()
    with workload_for(bench, scenario) as workload:
        while not enough(done):
            invocation_seed = derive_seed(seed, scenario.name, len(done))
            found = _invoke(bench, scenario, schedule, workload, len(done), invocation_seed, start)
            done.append(found)
            yield found


def choose_schedule(bench: Bench, scenario: Scenario, seed: int) -> Schedule:
    """Pilot: run the baseline alone for a few operations and cut the scenario into blocks of about 2 ms."""
    with workload_for(bench, scenario) as workload, ExitStack() as stack:
        workload.stream(derive_seed(seed, scenario.name, -1))
        session = _Session(bench, scenario, workload, random.Random(0), stack)
        arm = session.start(bench.arms[0], workload.next(scenario.warmup))
        count, total = 1, 0
        while not workload.prepares and total < BLOCK_NS and count < MAX_SAMPLES:
            count *= 2
            total = sum(session.run(arm, workload.next(count), 1).samples_ns)
        if workload.prepares:
            total = sum(session.run(arm, workload.next(1), 1).samples_ns)
    return cut(scenario.name, operation_ns=max(total // count, 1), prepares=workload.prepares, arms=len(bench.arms))


def cut(scenario: str, *, operation_ns: int, prepares: bool, arms: int) -> Schedule:
    """The schedule for operations of this length; where the world is prepared for each, a block is one operation."""
    group = 1 if prepares else max(1, SAMPLE_NS // operation_ns)
    sample_ns = operation_ns * group
    block = 1 if prepares else max(1, min(BLOCK_NS // sample_ns, MAX_SAMPLES))
    rounds = INVOCATION_NS // (arms * sample_ns * block)
    rounds = max(1, min(rounds, MAX_ROUNDS, MAX_SAMPLES // block))
    return Schedule(scenario=scenario, group=group, block=block, rounds=rounds if rounds < 2 else rounds // 2 * 2)


def _invoke(
    bench: Bench,
    scenario: Scenario,
    schedule: Schedule,
    workload: Workload,
    index: int,
    seed: int,
    start_ns: int,
) -> Invocation:
    rng = random.Random(seed)
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    workload.stream(seed)
    order = rng.sample(bench.arms, len(bench.arms))
    with ExitStack() as stack:
        session = _Session(bench, scenario, workload, rng, stack)
        warmup = workload.next(scenario.warmup)
        running = {arm: session.start(arm, warmup) for arm in order}
        for number in range(schedule.rounds):
            if number % 2 == 0:
                round_order = rng.sample(order, len(order))
            operations = workload.next(schedule.block * schedule.group)
            for arm in round_order if number % 2 == 0 else reversed(round_order):
                session.run(running[arm], operations, schedule.group)
        arms = {arm: running[arm].finish() for arm in bench.arms}
    return Invocation(
        scenario=scenario.name,
        index=index,
        seed=seed,
        order=tuple(order),
        started_at=started_at,
        elapsed_ns=time.perf_counter_ns() - start_ns,
        arms=arms,
    )


class _Running:
    """One arm's subject within an invocation, and what it has given so far.

    `prepared`: its folder is as all later operations need it.
    """

    def __init__(self, subject: Subject, workdir: Path, *, prepared: bool) -> None:
        self.subject, self.workdir = subject, workdir
        self.prepared = prepared
        self.blocks: list[Block] = []
        self.outputs = hashlib.sha256()
        self.settled_cpu_ns = 0

    def finish(self) -> ArmSamples:
        self.subject.require_left_alone()
        peak_rss_kib = self.subject.family_peak_rss_kib()
        session_cpu_ns = self.subject.close_in_peace() - self.settled_cpu_ns
        return ArmSamples(
            cold_start_ns=self.subject.cold_start_ns,
            samples_ns=tuple(sample for block in self.blocks for sample in block.samples_ns),
            wall_ns=tuple(block.exchange_ns for block in self.blocks),
            cpu_ns=tuple(block.cpu_ns for block in self.blocks),
            session_cpu_ns=session_cpu_ns,
            peak_rss_kib=peak_rss_kib,
            outputs=self.outputs.hexdigest(),
        )


class _Session:
    """All arms of one invocation share its randomness (hash seed, environment size) and its workload."""

    def __init__(
        self, bench: Bench, scenario: Scenario, workload: Workload, rng: random.Random, stack: ExitStack
    ) -> None:
        self.bench, self.scenario, self.workload, self.stack = bench, scenario, workload, stack
        self.environment = {
            "PYTHONHASHSEED": str(rng.randrange(2**32)),
            PADDING_VARIABLE: "x" * rng.randrange(_MAX_PADDING),
        }
        self._digests: dict[bytes, list[str]] = {}

    def start(self, arm: Arm, warmup: Sequence[object]) -> _Running:
        """Spawn a fresh subject in an empty working folder and warm it up; its first operation is the cold start."""
        workdir = self._workdir(arm)
        prepared = self.workload.prepare(warmup[0], workdir)
        launch = subject_launch(
            self.bench.spec,
            "candidate" if arm == "candidate" else "baseline",
            self.bench.trees[arm],
            workdir,
            timeout=self.bench.timeout,
            cpu=self.bench.cpu,
            extra_environment=self.environment,
        )
        subject = self.stack.enter_context(Subject(launch.confined(hidden=self.bench.hidden)))
        subject.hello(self.scenario.params, workdir)
        running = _Running(subject, workdir, prepared=prepared)
        self._digest(running, subject.run(warmup[:1]))
        self._warm_up(running, warmup[1:])
        subject.settle()
        running.settled_cpu_ns = subject.family_cpu_ns()
        return running

    def _warm_up(self, running: _Running, operations: Sequence[object]) -> None:
        size = 1 if self.workload.prepares else max(len(operations), 1)
        for at in range(0, len(operations), size):
            self._prepare(running, operations[at])
            self._digest(running, running.subject.run(operations[at : at + size]))

    def run(self, running: _Running, operations: Sequence[object], group: int) -> Block:
        """One block on one arm; preparation before it and digests after it are outside of both clocks."""
        self._prepare(running, operations[0])
        block = running.subject.run(operations, group)
        running.blocks.append(block)
        self._digest(running, block)
        return block

    def _prepare(self, running: _Running, operation: object) -> None:
        if not running.prepared:
            running.prepared = self.workload.prepare(operation, running.workdir)

    def _digest(self, running: _Running, block: Block) -> None:
        # Arms that answer the same bytes have the same canonical results: those are made only once a round.
        raw = hashlib.sha256(block.results).digest()
        if raw not in self._digests:
            if len(self._digests) > len(self.bench.arms):
                self._digests.clear()
            self._digests[raw] = self.workload.digests(running.subject.results_of(block))
        running.outputs.update("".join(self._digests[raw]).encode())

    def _workdir(self, arm: Arm) -> Path:
        # Names of one length: the environment holds them, and its size shifts memory.
        workdir = self.bench.scratch / "work" / f"{arm:_<9}"
        shutil.rmtree(workdir, ignore_errors=True)
        workdir.mkdir(parents=True)
        self.stack.callback(shutil.rmtree, workdir, ignore_errors=True)
        return workdir
