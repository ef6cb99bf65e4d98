"""Run a variant under its lever's profilers on the primary scenario; explain what changed between two."""

import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from prfpipe import profilers
from prfpipe.errors import ProfilerError, SubjectCrashError, SubjectError, TooFewSamplesError
from prfpipe.models import AllocationProfile, CpuProfile, LeverSpec, ProfileDiff, ProfileRecord, PythonVariant
from prfpipe.profilers import differential, folded
from prfpipe.profilers.flamegraph import differential as differential_svg
from prfpipe.profilers.frames import Targets, printable
from prfpipe.profilers.protocol import Profiler, Run
from prfpipe.progress import Progress
from prfpipe.subject.process import Subject, Workload
from prfpipe.subject.variants import PADDING_VARIABLE, VariantName, subject_launch, workload_launch

BLOCK_NS = 50_000_000
MAX_BLOCK = 1000
_SLOWDOWN = 3
"""Profilers slow a subject down (memray up to 2.3 times), so its answers may take longer than usual."""
_ABORTED = (-signal.SIGABRT, -signal.SIGSEGV)
_PATIENCE = 4
"""A profile that says too little when its time is up may take up to this many times as long."""


@dataclass(frozen=True)
class Job:
    """What to profile: a variant in its `tree`; files go to `out`, everything else to `scratch`.

    `seconds`: how long one profiler's run should take at most; `timeout`: for one answer of the subject.
    """

    spec: LeverSpec
    variant: VariantName
    tree: Path
    scratch: Path
    out: Path
    seed: int
    seconds: float = 8.0
    timeout: float = 60.0

    @property
    def title(self) -> str:
        """Lever, variant and scenario, for people."""
        return printable(f"{self.spec.id} {self.variant}, {self.spec.primary.name}")

    @property
    def targets(self) -> Targets:
        """The lever's targets, the baseline's file standing for the variant's; or all of its own file."""
        own, baseline = own_file(self.spec, self.variant) or "", own_file(self.spec, "baseline")
        entries = [entry.partition(":") for entry in _targets(self.spec, own).entries]
        return Targets(tuple((own if file == baseline else file) + colon + name for file, colon, name in entries))


def profile_variant(job: Job, progress: Progress) -> ProfileRecord:
    """Profile a variant, a separate run for each profiler, and write the profilers' files into `job.out`.

    A command variant gives a record without profiles and with a note that says so.

    Raises:
        ProfilerError: a tool is missing, refuses to work or gives an invalid profile.
        SubjectError: the subject failed while it was profiled.
    """
    if own_file(job.spec, job.variant) is None:
        note = f"{', '.join(job.spec.profiles)}: cannot see into a command variant"
        return ProfileRecord(variant=job.variant, operations=0, cpu=None, allocations=None, notes=(note,))
    job.out.mkdir(parents=True, exist_ok=True)
    cpu: CpuProfile | None = None
    allocations: AllocationProfile | None = None
    operations, notes = 0, []
    for name in job.spec.profiles:
        found, count = _profile(job, profilers.get(name), progress)
        operations += count
        notes.append(f"{name}: {count} operations")
        if isinstance(found, CpuProfile):
            cpu = found
        else:
            allocations = found
    return ProfileRecord(
        variant=job.variant, operations=operations, cpu=cpu, allocations=allocations, notes=tuple(notes)
    )


def own_file(spec: LeverSpec, variant: VariantName) -> str | None:
    """The Python file of a variant; None for a command."""
    choice = spec.variants.baseline if variant == "baseline" else spec.variants.candidate
    return choice.python if isinstance(choice, PythonVariant) else None


def _targets(spec: LeverSpec, *own: str) -> Targets:
    return Targets(spec.targets or tuple(dict.fromkeys(own)))


def _profile(job: Job, profiler: Profiler, progress: Progress) -> tuple[CpuProfile | AllocationProfile, int]:
    """A profile; where neighbours left the sampler too little of the time, one of a longer run."""
    try:
        return _collected(job, profiler, progress)
    except TooFewSamplesError:
        return _collected(replace(job, seconds=_PATIENCE * job.seconds), profiler, progress)


def _collected(job: Job, profiler: Profiler, progress: Progress) -> tuple[CpuProfile | AllocationProfile, int]:
    scratch = job.scratch / profiler.name
    output, report = scratch / "profile.raw", scratch / "report.txt"
    with _blaming(profiler):
        operations = _attempt(job, profiler, output, report, progress)
    run = Run(output, report, job.tree, job.out, job.title, operations, job.targets)
    return profiler.collect(run), operations


def _attempt(job: Job, profiler: Profiler, output: Path, report: Path, progress: Progress) -> int:
    """Run in the first of the profiler's environments in which the subject does not abort."""
    *first, last = profiler.environments
    for extra in first:
        subject = _subject(job, profiler.wrap(output), report, extra)
        try:
            return _operate(job, profiler, subject, output, progress)
        except SubjectCrashError:
            if subject.returncode not in _ABORTED:
                raise
    return _operate(job, profiler, _subject(job, profiler.wrap(output), report, last), output, progress)


def _subject(job: Job, wrap: tuple[str, ...], report: Path, extra: Mapping[str, str]) -> Subject:
    """The wrapped subject, not started yet, with a fresh working folder beside `report`."""
    shutil.rmtree(report.parent, ignore_errors=True)
    workdir = report.parent / "work"
    workdir.mkdir(parents=True)
    timeout = job.timeout * _SLOWDOWN
    # As it is measured, so that it cannot tell that it is not.
    environment = {PADDING_VARIABLE: "x", **extra}
    launch = subject_launch(
        job.spec, job.variant, job.tree, workdir, timeout=timeout, extra_environment=environment, wrap=wrap
    )
    return Subject(replace(launch, stdout=report))


@contextmanager
def _blaming(profiler: Profiler) -> Iterator[None]:
    """A subject that dies because the profiler may not look into it is the profiler's failure."""
    try:
        yield
    except SubjectError as error:
        reason = profiler.refusal("\n".join(getattr(error, "__notes__", ())))
        if reason is None:
            raise
        raise ProfilerError(
            f"{profiler.name} cannot profile here: {reason}",
            hint="It must be allowed to trace its own child: in a container add the capability SYS_PTRACE.",
        ) from error


def _operate(job: Job, profiler: Profiler, subject: Subject, output: Path, progress: Progress) -> int:
    """Have the subject answer operations until the profiler has enough; returns how many."""
    params, workdir = job.spec.primary.params, Path(subject.launch.environment["HOME"])
    launch = workload_launch(job.spec, job.tree, workdir, timeout=job.timeout)
    with Workload(launch) as workload, subject:
        workload.hello(params)
        workload.stream(job.seed)
        subject.hello(params, workdir)
        drive = _Drive(job, profiler, workload, subject, workdir)
        drive.warm_up()
        drive.until_enough(output, progress)
        subject.close()
        workload.ask({"type": "close"}, "closed")
    return drive.operations


@dataclass
class _Drive:
    job: Job
    profiler: Profiler
    workload: Workload
    subject: Subject
    workdir: Path
    operations: int = 0
    timed_ns: int = 0
    block: int = 1

    def warm_up(self) -> None:
        """As many operations as a measured subject gets; they are not part of the profile."""
        left = self.job.spec.primary.warmup
        while left > 0:
            count = min(self.block, left)
            self.run(count)
            left -= count
        self.subject.settle()

    def run(self, count: int) -> int:
        """One block of operations; the next is sized to take about 50 ms, unless each is to be prepared."""
        asked = self.workload.next(count)
        for operation in asked if self.workload.prepares else ():
            self.workload.prepare(operation, self.workdir)
        took = sum(self.subject.run(asked, count).samples_ns)
        if not self.workload.prepares:
            self.block = max(1, min(MAX_BLOCK, BLOCK_NS * count // max(took, 1)))
        return took

    def until_enough(self, output: Path, progress: Progress) -> None:
        """Answer operations, and say how far it is, until the profiler has enough or time is up."""
        start, allowed = time.monotonic(), self.job.seconds
        while not self.finished(passed := time.monotonic() - start, output):
            what = f"profiling the {self.job.variant} with {self.profiler.name}"
            done = min(max(passed / allowed, self.profiler.told(self.timed_ns, output), 1e-3), 1.0)
            progress.say(what, done=done, remaining=passed * (1 - done) / done if done > 0.02 else allowed)
            count = self.block
            self.timed_ns += self.run(count)
            self.operations += count

    def finished(self, passed: float, output: Path) -> bool:
        """Whether to stop: not before the least number of operations, in time only if the profile is valid."""
        if self.operations < self.profiler.least:
            return False
        if self.profiler.told(self.timed_ns, output) >= 1:
            return True
        valid = self.profiler.valid(self.timed_ns)
        return passed >= self.job.seconds * (1 if valid else _PATIENCE)


def explain_difference(
    spec: LeverSpec, baseline: Path, candidate: Path, out: Path, *, time_ratio: float
) -> ProfileDiff | None:
    """Write `diff.folded` and `diff.svg` into `out` from both variants' `cpu.folded`; None if there are none.

    `baseline`, `candidate`: the folders that `profile_variant` wrote; `time_ratio`: the candidate's measured
    time per operation / the baseline's.

    Raises:
        ProfilerError: a profile cannot be read, or the ratio is no positive number.
    """
    own = own_file(spec, "baseline"), own_file(spec, "candidate")
    if own[0] is None or own[1] is None or "py-spy" not in spec.profiles:
        return None
    label = differential.own_label(own[0], own[1])
    before = differential.align(folded.read(baseline / "cpu.folded"), own[0], label)
    after = differential.align(folded.read(candidate / "cpu.folded"), own[1], label)
    found = differential.scale(before, after, time_ratio)
    out.mkdir(parents=True, exist_ok=True)
    (out / "diff.folded").write_bytes(found.folded())
    title = printable(f"{spec.id} baseline and candidate, {spec.primary.name}")
    what = "time per operation on one scale: what is narrower below was saved"
    (out / "diff.svg").write_bytes(differential_svg(found, title=title, subtitle=what))
    targets, path = _targets(spec, own[0], own[1]), Targets(spec.optimized_path)
    return differential.explain(found, targets.unqualified(), path.unqualified())
