"""Samples with known effects, and the verdict on them: every part of a good run can be replaced by a bad one."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from prfpipe import verdict as rules
from prfpipe.digests import sha256_hex
from prfpipe.models import (
    Arm,
    ArmSamples,
    Effort,
    Guard,
    GuardMetric,
    Invocation,
    Plan,
    ProfileRecord,
    ProofRecord,
    SampleSet,
    Schedule,
    TreeRecord,
    Verdict,
)
from prfpipe.plan import make_rule
from tests.support import bundles, findings, plans

PRIMARY = "tenth-100"
SAMPLES = 10
BASE_NS = 1_000_000
Shape = Mapping[str, Any]


def plan(
    *guards: tuple[GuardMetric, float], effort: Effort = Effort.QUICK, lever: Mapping[str, Any] | None = None,
    **rule: Any,
) -> Plan:  # fmt: skip
    spec = plans.lever(
        {PRIMARY: 1.0},
        expected_speedup=(2.0, 3.0),
        guards=tuple(Guard(metric=metric, max_regression_percent=limit) for metric, limit in guards),
        **(lever or {}),
    )
    return plans.plan(spec, effort=effort, rule=make_rule(spec, effort).model_copy(update=rule))


def arm(center: float, shape: Shape) -> ArmSamples:
    """`slow`: the largest sample in ratio to the others; `wall`, `cpu`: clocks in ratio to the subject's own."""
    samples = (*[int(center)] * (SAMPLES - 1), int(center * shape.get("slow", 1.0)))
    wall = tuple(int(value * shape.get("wall", 1.0)) for value in samples)
    cpu = tuple(int(value * shape.get("cpu", 1.0)) for value in samples)
    return ArmSamples(
        cold_start_ns=int(40_000_000 * shape.get("cold_start", 1.0)),
        samples_ns=samples,
        wall_ns=wall,
        cpu_ns=cpu,
        session_cpu_ns=int(sum(cpu) * shape.get("session", 1.0)),
        peak_rss_kib=int(50_000 * shape.get("peak_rss", 1.0)),
        outputs=sha256_hex(str(shape.get("outputs", "same")).encode()),
    )


def invocation(
    index: int, speedup: float, *, seconds: float, noise: float = 0.001, control: float = 1.0,
    shapes: Mapping[str, Shape] | None = None, excluded: str | None = None,
) -> Invocation:  # fmt: skip
    rng = random.Random(index)
    times = {"baseline": 1.0, "control": 1 / control, "candidate": 1 / speedup}
    arms: dict[Arm, ArmSamples] = {}
    for name in ("baseline", "control", "candidate"):
        arms[name] = arm(BASE_NS * times[name] * (1 + noise * rng.uniform(-1, 1)), (shapes or {}).get(name, {}))
    return Invocation(
        scenario=PRIMARY,
        index=index,
        seed=index,
        order=tuple(arms),
        started_at="2026-11-23T08:16:00Z",
        elapsed_ns=int((index + 1) * seconds * 1e9),
        arms=arms,
        excluded=excluded,
    )


def sample_set(invocations: Sequence[Invocation]) -> SampleSet:
    schedule = Schedule(scenario=PRIMARY, group=1, block=1, rounds=SAMPLES)
    return SampleSet(schedules=(schedule,), invocations=tuple(invocations))


def measured(the_plan: Plan, speedup: float, *, n: int = 20, **changes: Any) -> SampleSet:
    """`n` invocations that together take the rule's time."""
    seconds = the_plan.rule.seconds / n
    return sample_set([invocation(i, speedup, seconds=seconds, **changes) for i in range(n)])


def renamed(samples: SampleSet, scenario: str) -> SampleSet:
    """The same samples, as if of another scenario."""
    of_it = {"scenario": scenario}
    return SampleSet(
        schedules=tuple(item.model_copy(update=of_it) for item in samples.schedules),
        invocations=tuple(item.model_copy(update=of_it) for item in samples.invocations),
    )


def together(*sets: SampleSet) -> SampleSet:
    """Samples of several scenarios, as one run measures them."""
    return SampleSet(
        schedules=tuple(item for each in sets for item in each.schedules),
        invocations=tuple(item for each in sets for item in each.invocations),
    )


def tree(the_plan: Plan, **changes: Any) -> TreeRecord:
    return findings.tree(**{"digest": the_plan.source_digest, "outside_path": (), **changes})


def profiles(bound: float | None = 50.0) -> tuple[ProfileRecord, ...]:
    """Of both variants; `bound`: what Amdahl's law allows for the baseline's targets."""
    found = findings.profile("baseline")
    assert found.cpu is not None
    cpu = found.cpu.model_copy(update={"amdahl_speedup": bound})
    return found.model_copy(update={"cpu": cpu}), findings.profile("candidate")


def decide(the_plan: Plan, samples: SampleSet, **changes: Any) -> Verdict:
    proofs: tuple[ProofRecord, ...] = tuple(bundles.proof(the_plan, stage) for stage in ("prove", "verify"))
    given = {
        "proofs": proofs,
        "profiles": profiles(),
        "tree": tree(the_plan),
        **changes,
    }
    return rules.decide(the_plan, samples, given["proofs"], given["profiles"], given["tree"])


def codes(found: Verdict) -> list[str]:
    return [reason.code for reason in found.reasons]
