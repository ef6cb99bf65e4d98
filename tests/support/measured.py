"""Realistic samples from a seeded generator, and the verdict's record with real figures over them."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from prfpipe.digests import sha256_hex
from prfpipe.limits import stratum_result
from prfpipe.models import (
    ARMS,
    Arm,
    ArmSamples,
    ClaimWord,
    GuardResult,
    Invocation,
    Plan,
    Reason,
    SampleSet,
    Schedule,
    Verdict,
    VerdictWord,
)
from prfpipe.verdict import scenario_results
from tests.support.plans import RULE_SECONDS, SPEEDUPS


def arm_samples(rng: random.Random, center_ns: float, count: int, rss_kib: int) -> ArmSamples:
    samples = tuple(max(1, int(center_ns * rng.lognormvariate(0, 0.03) * _spike(rng))) for _ in range(count))
    return ArmSamples(
        cold_start_ns=int(48e6 * rng.lognormvariate(0, 0.04)),
        samples_ns=samples,
        wall_ns=(sum(samples),),
        cpu_ns=(int(sum(samples) * 0.995),),
        session_cpu_ns=int(sum(samples) * 1.01),
        peak_rss_kib=rss_kib + rng.randrange(200),
        outputs=sha256_hex(b"outputs"),
    )


def _spike(rng: random.Random) -> float:
    return 1 + rng.expovariate(3) if rng.random() < 0.03 else 1.0


def invocation(
    scenario: str, index: int, speedup: float, *, operations: int = 40, baseline_ns: float | None = None,
    arms: Sequence[Arm] = ARMS, seed: int = 7, seconds: float = 1.2,
) -> Invocation:  # fmt: skip
    rng = random.Random(f"{seed}/{scenario}/{index}")  # a string, so that it is the same in every process
    size = float(scenario.rsplit("-", 1)[-1]) if scenario.rsplit("-", 1)[-1].isdigit() else 100.0
    base = (baseline_ns or 1.8e6 * size) * (1 + 0.01 * rng.gauss(0, 1)) * (1 + 0.002 * index)
    centers = {"baseline": base, "control": base * (1 + 0.002 * rng.gauss(0, 1)), "candidate": base / speedup}
    return Invocation(
        scenario=scenario,
        index=index,
        seed=seed + index,
        order=tuple(arms),
        started_at="2026-11-23T08:16:00Z",
        elapsed_ns=int((index + 1) * seconds * 1e9),
        arms={
            arm: arm_samples(rng, centers[arm], operations, 61_000 if arm == "candidate" else 58_000) for arm in arms
        },
    )


def samples(
    speedups: Mapping[str, float] = SPEEDUPS, *, invocations: int = 10, operations: int = 40,
    arms: Sequence[Arm] = ARMS, seed: int = 7, baseline_ns: float | None = None,
) -> SampleSet:  # fmt: skip
    # Together the invocations take the rule's time, so that its last look is at the last of them.
    seconds = RULE_SECONDS / max(invocations, 1)
    return SampleSet(
        schedules=tuple(Schedule(scenario=name, group=1, block=1, rounds=operations) for name in speedups),
        invocations=tuple(
            invocation(
                name,
                index,
                speedup,
                operations=operations,
                arms=arms,
                seed=seed,
                baseline_ns=baseline_ns,
                seconds=seconds,
            )
            for name, speedup in speedups.items()
            for index in range(invocations)
        ),
    )


REASONS: dict[VerdictWord, tuple[Reason, ...]] = {
    "adopt": (
        Reason(
            code="gain",
            message="The primary scenario is faster: the interval lies above the least gain of 1 %.",
        ),
        Reason(code="guards-hold", message="All four guards hold."),
        Reason(code="proof", message="Both variants gave the same outputs in all 2,412 compared operations."),
    ),
    "reject": (Reason(code="slower", message="The candidate is 2.1 % slower: the whole interval lies below 1×."),),
    "undecided": (
        Reason(code="straddles", message="The interval straddles the least gain of 1 %; this run resolves 1.8 %."),
    ),
}


GUARDS: dict[VerdictWord, tuple[tuple[Literal["holds", "violated", "undecided"], float | None], ...]] = {
    "adopt": (("holds", -85.1), ("holds", 4.2), ("holds", 1.2), ("holds", -86.0)),
    "reject": (("holds", 2.3), ("violated", 5.6), ("holds", 1.2), ("holds", 2.4)),
    "undecided": (("holds", 2.3), ("holds", 1.6), ("undecided", None), ("undecided", 7.1)),
}


def guard_results(the_plan: Plan, word: VerdictWord) -> tuple[GuardResult, ...]:
    found = zip(the_plan.lever.guards, GUARDS[word], strict=False)
    return tuple(
        GuardResult(
            metric=guard.metric,
            state=state,
            max_regression_percent=guard.max_regression_percent,
            worst_percent=worst,
        )
        for guard, (state, worst) in found
    )


def verdict(
    the_plan: Plan,
    sample_set: SampleSet,
    word: VerdictWord = "adopt",
    claim: ClaimWord = "met",
    **changes: Any,
) -> Verdict:
    found = {result.scenario: result for result in scenario_results(the_plan, sample_set)}
    values: dict[str, Any] = {
        "run_id": the_plan.run_id,
        "lever": the_plan.lever.id,
        "effort": the_plan.effort,
        "verdict": word,
        "claim": claim,
        "reasons": REASONS[word],
        "guards": guard_results(the_plan, word),
        "scenarios": tuple(found.values()),
        "strata": tuple(stratum_result(the_plan.rule, name, found.get(name)) for name in the_plan.rule.must_hold),
    }
    return Verdict(**{**values, **changes})
