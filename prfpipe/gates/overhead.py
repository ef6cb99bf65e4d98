"""PRF-03: what security instrumentation costs on each hot path of the runtime, off against on.

The comparison is a lever's (baseline: off, candidate: on), measured by `measure` with its A/A control and judged by
`overhead_rule`. No path is the primary one.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from prfpipe import host, measure
from prfpipe.digests import derive_seed, sha256_tree
from prfpipe.errors import (
    GateError,
    HostError,
    LeverError,
    NothingMeasuredError,
    PrfpipeError,
    ProfilerError,
    SubjectStartError,
)
from prfpipe.gates import one_off, overhead_rule
from prfpipe.gates.measurement import GateContext, Overhead, Paired
from prfpipe.gates.overhead_rule import Rule, samples_of
from prfpipe.gates.overhead_tables import Costs, overhead_percent, tables
from prfpipe.gates.params import bad_param, read_params
from prfpipe.lever import Lever, load_lever
from prfpipe.lever.folder import check_requirements
from prfpipe.models import (
    Arm,
    GateTable,
    Invocation,
    LeverSubject,
    Record,
    SampleSet,
    Scenario,
    TreeRecord,
)
from prfpipe.profilers.session import Job, profile_variant
from prfpipe.prove import conformance
from prfpipe.prove.stand import Stand
from prfpipe.subject.variants import copy_tree, source_files

INVOCATION_SECONDS = 10.0
"""What one takes, roughly, before any was measured: only for the time that is told to be left."""


class OverheadParams(Record):
    """`params` of PRF-03's gate.yaml.

    `beside`: folders that belong into the subjects' tree, by their place in it, relative to the gate's folder.
    `instruments`: names that a scenario's `instruments` takes; each is also measured alone. `operations`: for each hot
    path what one operation is. `one_off`: a Python file of the lever that prints what is paid once, as JSON of ns.
    """

    beside: dict[str, str] = Field(default_factory=dict)
    instruments: tuple[str, ...] = ()
    operations: dict[str, str] = Field(default_factory=dict)
    one_off: str = ""
    one_off_runs: Annotated[int, Field(ge=1, le=100)] = 5


def open_measurement(context: GateContext) -> "Overheads":
    """PRF-03's measuring, with its tree in place.

    Raises:
        GateError: `params` are not valid, or the subject is no lever.
        LeverError: the lever is not valid.
        SubjectStartError: something that the lever needs is not installed.
        NothingMeasuredError: its scenarios are not exactly what the budgets are about.
        HostError: a flush that costs nothing, as in memory, would be measured.
    """
    subject = context.gate.spec.subject
    if not isinstance(subject, LeverSubject):
        raise GateError("PRF-03 compares two variants: its subject is a lever", hint="Give `subject: {lever: FILE}`.")
    params = read_params(context.gate, OverheadParams)
    lever = load_lever((context.gate.root / subject.lever).parent)
    _refuse_missing(lever)
    _refuse_other_paths(context, lever)
    if lever.spec.work == "disk" and host.is_in_memory(context.scratch):
        raise HostError(
            f"{context.scratch.parent} lies in memory, where a flush of the audit log costs nothing",
            hint="Set TMPDIR to a folder on the disk that the figures shall be about.",
        )
    return Overheads(context, params, lever, _tree(context, params, lever))


def _refuse_missing(lever: Lever) -> None:
    try:
        check_requirements(lever)
    except LeverError as error:
        raise SubjectStartError(error.message, hint=error.hint) from error


def _refuse_other_paths(context: GateContext, lever: Lever) -> None:
    """Before minutes of measuring, not behind them."""
    paths, budgets = {scenario.name for scenario in lever.spec.scenarios}, set(context.budgets)
    if differing := sorted(paths ^ budgets):
        raise NothingMeasuredError(
            f"not both a scenario of {lever.spec.id} and a budget: {', '.join(differing)}",
            hint="Give each hot path a budget, or name it in `out_of_scope` with its reason.",
        )


def _tree(context: GateContext, params: OverheadParams, lever: Lever) -> Path:
    """A private copy of the lever and of what it measures, as the repository has them beside each other."""
    tree = context.scratch / "tree"
    copy_tree(lever.root, tree)
    for place, source in params.beside.items():
        folder = (context.gate.root / source).resolve()
        if not folder.is_dir():
            raise bad_param(context.gate, "params.beside", f"{folder} is no folder")
        copy_tree(folder, tree / place)
    return tree


class Overheads(Paired):
    """Every scenario of the lever is a hot path; those of one instrument alone are added here."""

    def __init__(self, context: GateContext, params: OverheadParams, lever: Lever, tree: Path) -> None:
        self.context, self.params, self.spec, self.tree = context, params, lever.spec, tree
        self.seed = secrets.randbits(48)
        files = source_files(tree)
        record = TreeRecord(files=files, digest=sha256_tree(files), changed_files=(), outside_path=())
        self._rule = Rule(context, lever.spec, record, self.seed)
        self._samples: dict[str, SampleSet] = {}
        self._notes: list[str] = []
        self._differing: list[str] = []
        self._costs = Costs({}, {}, {}, params.operations)
        self._invocation_s: dict[str, float] = {}
        self._done_s = 0.0

    def overheads(self) -> Mapping[str, Overhead]:
        """See `Paired.overheads`: conformance first, then each hot path until it is decided, then what costs what."""
        doubts = self._conformance()
        found = {scenario.name: self._overhead(scenario, doubts) for scenario in self.spec.scenarios}
        self._costs = Costs(found, {}, {}, self.params.operations)
        self._describe_costs()
        against = self._differing_results()
        return {path: replace(item, doubts=(*item.doubts, *against)) for path, item in found.items()}

    def also(self) -> Mapping[str, Sequence[int]]:
        """Every sample of each hot path, by arm."""
        names = {"baseline": "off", "control": "off again", "candidate": "on"}
        return {
            f"{path}/{names[arm]}": [sample for item in found.invocations for sample in item.arms[arm].samples_ns]
            for path, found in self._samples.items()
            for arm in self.bench.arms
        }

    def tables(self) -> Sequence[GateTable]:
        """What each instrument costs, what is paid once, tails with their justification."""
        return tables(self._costs, self.context.budgets)

    def notes(self) -> Sequence[str]:
        """How to read the figures."""
        return (
            "Each overhead is that of the median turn, off and on interleaved, with a second copy of off as control.",
            "Its rounds are made equally fast first: what the machine did in a round is common to off and on.",
            "Off is what its two copies took together; what they differ by is the control.",
            "A turn's time includes its wait until this machine's disk has its audit records.",
            *self._notes,
        )

    def profile(self, subject: str, folder: Path) -> bytes | None:
        """See `Measurement.profile`: of the runtime with instruments on."""
        chosen = [item.model_copy(update={"primary": item.name == subject}) for item in self.spec.scenarios]
        spec = self.spec.model_copy(update={"scenarios": tuple(chosen), "profiles": ("py-spy",)})
        out = folder / "out"
        job = Job(spec, "candidate", self.tree, folder / "work", out, self.seed, timeout=self.bench.timeout)
        profile_variant(job, self.context.progress)
        try:
            return (out / "cpu.folded").read_bytes()
        except OSError as error:
            raise ProfilerError(f"{subject}: py-spy left no stacks", hint="Profile it by hand.") from error

    @property
    def bench(self) -> measure.Bench:
        """Both variants in one tree, on the measuring CPU."""
        trees: dict[Arm, Path] = {"baseline": self.tree, "control": self.tree, "candidate": self.tree}
        context = self.context
        timeout = context.settings.subject_timeout_seconds
        return measure.Bench(self.spec, trees, context.scratch / "bench", context.host.measuring_cpu, timeout)

    def _conformance(self) -> tuple[str, ...]:
        """What the checked-in cases say against either variant.

        Raises:
            NothingMeasuredError: there are none, so that a runtime which does nothing would be the fastest.
        """
        cases = conformance.load(self.tree)
        if not cases:
            raise NothingMeasuredError(
                f"{self.spec.id} has no conformance cases", hint="Write some: docs/lever-folder.md, `conformance/`."
            )
        self.context.progress.say("PRF-03: conformance of both variants")
        scratch = self.context.scratch / "proof"
        scratch.mkdir()
        stand = Stand(self.spec, self.tree, scratch, self.seed, self.bench.timeout, self.context.progress.say)
        with stand.workload(self.spec.primary.params) as workload:
            results = conformance.run(stand, workload, cases)
        return tuple(
            f"{result.variant} fails the conformance case `{case.name}`"
            for result in results
            for case in result.cases
            if not case.passed
        )

    def _overhead(self, scenario: Scenario, doubts: tuple[str, ...]) -> Overhead:
        """One hot path, measured until its stratum is decided or the effort's time is up."""
        plan = self._rule.plan(scenario)

        def enough(samples: SampleSet) -> bool:
            self._samples[scenario.name] = samples  # what was measured is kept, whatever happens next
            return overhead_rule.is_enough(plan, samples, scenario)

        samples = self._measured(scenario, enough, self._rule.seconds(scenario))
        self._invocation_s[scenario.name] = samples.invocations[-1].elapsed_ns / 1e9 / len(samples.invocations)
        found = overhead_rule.answer(self._rule, plan, samples, doubts)
        if found.differing:
            self._differing.append(scenario.name)
        self._notes += [f"{bias}. The answer is the same with that added." for bias in found.biases]
        return found.overhead

    def _differing_results(self) -> tuple[str, ...]:
        """What speaks against every path, also if it was seen on one that is out of scope."""
        where = ", ".join(self._differing)
        return (f"results differ from arm to arm, on {where}",) if where else ()

    def _describe_costs(self) -> None:
        """What costs what; an answer does not wait for it, so what fails here is told and loses nothing."""
        try:
            alone = {scenario.name: self._alone(scenario) for scenario in self.spec.scenarios}
            self._costs = replace(self._costs, alone=alone)
            self._costs = replace(self._costs, paid_once=self._paid_once())
        except BrokenPipeError:
            raise  # whoever read what is printed has gone
        except (PrfpipeError, OSError) as error:
            self._notes.append(f"What each instrument costs was not measured to its end: {error}")

    def _alone(self, scenario: Scenario) -> dict[str, float]:
        """What each instrument costs by itself on one hot path, in percent."""
        wanted, plan = self._rule.alone(scenario), self._rule.plan(scenario)
        costs = {}
        for name in self.params.instruments:
            params = {**scenario.params, "instruments": [name]}
            chosen = scenario.model_copy(update={"params": params})
            samples = self._measured(
                chosen, lambda found: len(found.invocations) >= wanted, self._seconds_alone(scenario)
            )
            costs[name] = overhead_percent(overhead_rule.speedup(plan, samples).speedup)
        return costs

    def _measured(self, scenario: Scenario, enough: Callable[[SampleSet], bool], seconds: float) -> SampleSet:
        """Invocations until there are enough; `seconds` is how long that may take, for the progress."""
        bench, progress = self.bench, self.context.progress
        found = measure.choose_schedule(bench, scenario, derive_seed(self.seed, "pilot", 0))
        schedule = self._rule.schedule(scenario, found)
        done: list[Invocation] = []
        what = f"PRF-03: {scenario.name}, {' '.join(scenario.params.get('instruments', ())) or 'all instruments'}"
        begun = self._done_s
        for invocation in measure.measure(
            bench, scenario, schedule, self.seed, lambda found: bool(found) and enough(samples_of(schedule, found))
        ):
            done.append(invocation)
            self._done_s = begun + min(invocation.elapsed_ns / 1e9, seconds)
            left = self._all_s - self._done_s
            progress.say(f"{what}, {len(done)} invocations", done=self._done_s / self._all_s, remaining=left)
        self._done_s = begun + seconds
        return samples_of(schedule, done)

    @property
    def _all_s(self) -> float:
        """About how long all of it takes, by what was measured so far."""
        instruments = len(self.params.instruments)
        paths = self.spec.scenarios
        return sum(self._rule.seconds(path) + instruments * self._seconds_alone(path) for path in paths)

    def _seconds_alone(self, scenario: Scenario) -> float:
        """About how long one instrument takes on a hot path."""
        return self._rule.alone(scenario) * self._invocation_s.get(scenario.name, INVOCATION_SECONDS)

    def _paid_once(self) -> dict[str, int]:
        if not self.params.one_off:
            return {}
        self.context.progress.say("PRF-03: what is paid once")
        return one_off.costs(self.tree, self.params.one_off, self.params.one_off_runs, self.bench)
