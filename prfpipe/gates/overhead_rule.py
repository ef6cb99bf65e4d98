"""By which rule a hot path is measured and judged: the loop's plan for a stratum, at the path's own budget.

The time is up after the effort's seconds; until then an interval is looked at as often as the plan says. Samples are
compared within their rounds, and both copies of the path without instruments count as what it takes without them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prfpipe import limits, stats, verdict
from prfpipe.gates.measurement import GateContext, Overhead
from prfpipe.gates.rounds import even, with_both_copies
from prfpipe.models import (
    Effort,
    Invocation,
    LeverSpec,
    Plan,
    Reason,
    SampleSet,
    Scenario,
    ScenarioResult,
    Schedule,
    StratumResult,
    TreeRecord,
)
from prfpipe.plan import make_plan

ALPHA = 0.05
"""As of the other gates: at most so often, over all looks together, an answer is wrong."""
SECONDS: dict[Effort, float] = {Effort.QUICK: 90.0, Effort.STANDARD: 300.0, Effort.RIGOROUS: 900.0}
"""For each hot path in scope, unless it is decided before, or as many as were asked for."""
MOST_SECONDS_SHOWN = 30.0
"""A path that is not judged has a tenth of the time, and no more than this."""
SPLIT: dict[Effort, int] = {Effort.QUICK: 1, Effort.STANDARD: 2, Effort.RIGOROUS: 3}
"""Invocations of each instrument alone: they are described, never judged. Of a path that is not judged, one."""
LEAST_ROUNDS: dict[Effort, int] = {Effort.QUICK: 12, Effort.STANDARD: 12, Effort.RIGOROUS: 24}
"""An operation of 100 ms would be timed once in an invocation, whose cold start takes ten times as long. Where there is
time for it, more: on a noisy core all that invocations differ by is the noise of their rounds."""
ROUNDS_OF_WHAT_IS_SHOWN = 4
NO_PRIMARY = Scenario(name="none", primary=True)
_NEEDED = stats.smallest_n(stats.exact(ALPHA))
_OF_A_LEVER = {
    "nothing-measured", "not-proven", "not-profiled", "stratum-holds", "stratum-slower", "stratum-undecided",
}  # fmt: skip
"""Reasons of a verdict that are about adopting a lever, or that the stratum's state says already."""
_BIASED = "control-significant"
_DIFFERING = {"timed-outputs-differ", "baseline-nondeterministic"}


@dataclass(frozen=True)
class Rule:
    """Of one run of the gate. `tree`: both variants are in it, so nothing of it differs between them."""

    context: GateContext
    lever: LeverSpec
    tree: TreeRecord
    seed: int

    def budget(self, scenario: Scenario) -> float | None:
        """In percent; None where the path is shown and not judged."""
        in_force = self.context.budgets.get(scenario.name)
        return in_force.budget if in_force else None

    def seconds(self, scenario: Scenario) -> float:
        """How long a hot path may be measured."""
        options = self.context.options
        seconds = SECONDS[options.effort] if options.seconds is None else options.seconds
        return min(seconds / 10, MOST_SECONDS_SHOWN) if self.budget(scenario) is None else seconds

    def alone(self, scenario: Scenario) -> int:
        """How many invocations each instrument alone gets on a hot path."""
        return 1 if self.budget(scenario) is None else SPLIT[self.context.options.effort]

    def schedule(self, scenario: Scenario, found: Schedule) -> Schedule:
        """The schedule that was found for a lever, with as many rounds as it takes to compare within them."""
        shown = self.budget(scenario) is None or "instruments" in scenario.params
        least = ROUNDS_OF_WHAT_IS_SHOWN if shown else LEAST_ROUNDS[self.context.options.effort]
        return found.model_copy(update={"rounds": max(found.rounds, least)})

    def plan(self, scenario: Scenario) -> Plan:
        """The loop's plan for one hot path: a stratum at its own budget; the primary one is not there."""
        context, budget = self.context, self.budget(scenario)
        lever = self.lever.model_copy(
            update={
                "scenarios": (NO_PRIMARY, scenario.model_copy(update={"primary": False})),
                "must_hold": (scenario.name,),
                "non_inferiority_percent": self.lever.non_inferiority_percent if budget is None else budget,
            }
        )
        plan = make_plan(
            lever,
            context.options.effort,
            source_files=self.tree.files,
            host=context.host,
            noise=context.noise,
            command=context.options.words,
            folder=context.gate.root,
            seed=self.seed,
        )
        most = min(plan.rule.max_invocations, context.options.samples or plan.rule.max_invocations)
        changes = {
            "max_invocations": most,
            "alpha": ALPHA,
            "seconds": self.seconds(scenario),
            "min_invocations": _NEEDED,
        }
        return plan.model_copy(update={"rule": plan.rule.model_copy(update=changes)})


class Answer(NamedTuple):
    """`biases`: what the copies differ by, where the answer is the same with it. `differing`: the results do."""

    overhead: Overhead
    biases: tuple[str, ...]
    differing: bool


def samples_of(schedule: Schedule, invocations: Sequence[Invocation]) -> SampleSet:
    """Invocations of one scenario."""
    return SampleSet(schedules=(schedule,), invocations=tuple(invocations))


def is_enough(plan: Plan, samples: SampleSet, scenario: Scenario) -> bool:
    """Whether the path is decided, its results differ, or its time is up."""
    return verdict.is_enough(plan, _judged(_even(samples)), scenario.name)


def speedup(plan: Plan, samples: SampleSet) -> ScenarioResult:
    """The figures of rounds that were made equally fast."""
    (result,) = verdict.scenario_results(plan, _judged(_even(samples)))
    return result


def answer(rule: Rule, plan: Plan, samples: SampleSet, doubts: tuple[str, ...]) -> Answer:
    """The overhead of one hot path, and what speaks against its figures; `doubts` do already."""
    copies = _even(samples)
    decided = verdict.decide(plan, _judged(copies), (), (), rule.tree)
    (stratum,), (judged,) = decided.strata, decided.scenarios
    (control,), (raw,) = verdict.scenario_results(plan, copies), verdict.scenario_results(plan, samples)
    # What is told of rounds that were made equally fast; all else is of the samples as they are.
    told = {"speedup": judged.speedup, "resolvable_percent": judged.resolvable_percent, "control": control.control}
    result = raw.model_copy(update=told)
    reasons = verdict.decide(plan, copies, (), (), rule.tree).reasons
    against = [reason for reason in reasons if _counts(reason, stratum, result)]
    biases = tuple(reason.message for reason in reasons if reason.code == _BIASED and reason not in against)
    differing = any(reason.code in _DIFFERING for reason in reasons)
    # A check stands under its path's name already.
    told_of = [reason.message.removeprefix(f"{result.scenario}: ") for reason in against]
    return Answer(Overhead(stratum, result, (*doubts, *told_of)), biases, differing)


def _even(samples: SampleSet) -> SampleSet:
    (schedule,) = samples.schedules
    return _each(samples, tuple(even(item, schedule.block) for item in samples.invocations))


def _judged(samples: SampleSet) -> SampleSet:
    return _each(samples, tuple(map(with_both_copies, samples.invocations)))


def _each(samples: SampleSet, invocations: tuple[Invocation, ...]) -> SampleSet:
    return samples.model_copy(update={"invocations": invocations})


def _counts(reason: Reason, stratum: StratumResult, result: ScenarioResult) -> bool:
    """Whether a reason leaves the answer open. A bias does only where the answer might be another without it."""
    if reason.code == _BIASED:
        return not limits.stands_despite_bias(stratum, result)
    return reason.code not in _OF_A_LEVER
