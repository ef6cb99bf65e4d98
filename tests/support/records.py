"""Realistic records for tests: one consistent run of a made-up lever, from plan to verdict, with every part replaceable.

The numbers come from a seeded generator. `HOSTILE` is a name as bad as names get.
"""

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, get_args

from prfpipe import stats
from prfpipe.artifacts.evidence import Evidence
from prfpipe.digests import sha256_hex, sha256_tree
from prfpipe.models import (
    ARMS,
    AllocationProfile,
    AllocationSite,
    Arm,
    ArmSamples,
    ArmSummary,
    BaselineResult,
    CaseResult,
    Certified,
    ClaimWord,
    ConformanceResult,
    CoverageFile,
    CpuProfile,
    DecisionRule,
    Effort,
    Estimate,
    Guard,
    GuardMetric,
    GuardResult,
    HostFingerprint,
    Hotspot,
    Invocation,
    LeverSpec,
    LockstepResult,
    MutantResult,
    NoiseProbe,
    Plan,
    ProfileDiff,
    ProfileRecord,
    ProofRecord,
    Provenance,
    PythonVariant,
    Reason,
    SampleSet,
    Saving,
    Scenario,
    ScenarioResult,
    Schedule,
    TreeRecord,
    Variants,
    Verdict,
    VerdictWord,
)

HOSTILE = "<script>alert(1)</script>\x1b[31m\x1b]0;owned\x07|`*_[x](http://h.example)$\\alpha$\u202eevil\r\n# heading\x00"
RUN_ID = "20261123T081500Z-lev-01-3f9c2a7b"
GUARD_METRICS: tuple[GuardMetric, ...] = get_args(GuardMetric)
# (modules, changed percent) -> true speed-up, as LEV-01's honest ratios.
SPEEDUPS: dict[str, float] = {
    "full-10": 1.0,
    "tenth-10": 3.0,
    "one-10": 6.2,
    "none-10": 9.4,
    "full-100": 1.02,
    "tenth-100": 6.1,
    "one-100": 18.0,
    "none-100": 28.0,
    "full-1000": 1.04,
    "incremental-1000": 7.4,
    "one-1000": 30.0,
    "none-1000": 51.0,
}
PRIMARY = "incremental-1000"


def lever(speedups: Mapping[str, float] = SPEEDUPS, **changes: Any) -> LeverSpec:
    first = PRIMARY if PRIMARY in speedups else next(iter(speedups))
    values: dict[str, Any] = {
        "id": "LEV-01",
        "title": "Compatibility cache with deterministic invalidation",
        "owner_track": "10.6",
        "claim": "Re-checking a project after a small change re-analyses only the changed modules.",
        "risk": "Cache coherence bugs could produce incorrect compatibility results.",
        "expected_speedup": (5.0, 10.0),
        "optimized_path": ("candidate.py",),
        "workload": "workload.py",
        "variants": Variants(
            baseline=PythonVariant(python="baseline.py"), candidate=PythonVariant(python="candidate.py")
        ),
        "scenarios": tuple(Scenario(name=name, primary=name == first) for name in speedups),
        "guards": tuple(Guard(metric=metric, max_regression_percent=5.0) for metric in GUARD_METRICS),
    }
    return LeverSpec(**{**values, **changes})


def rule(spec: LeverSpec, **changes: Any) -> DecisionRule:
    values: dict[str, Any] = {
        "alpha": 0.01,
        "look_fractions": (0.25, 0.5, 1.0),
        "look_weights": (0.2, 0.5, 1.0),
        "min_gain_percent": spec.min_gain_percent,
        "expected_speedup": spec.expected_speedup,
        "guards": spec.guards,
        "seconds": 180.0,
        "secondary_seconds": 10.0,
        "baseline_seconds": 10.0,
        "min_invocations": 8,
        "secondary_invocations": 6,
        "max_invocations": 60,
        "tail_confidence": 0.95,
    }
    return DecisionRule(**{**values, **changes})


def host(**changes: Any) -> HostFingerprint:
    values: dict[str, Any] = {
        "name": "bench-1",
        "cpu_model": "AMD EPYC 7B13",
        "cpus": 2,
        "memory_kib": 8_148_312,
        "kernel": "6.1.0-18-amd64",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "python": "CPython 3.11.2",
        "measuring_cpu": 1,
        "virtualized": "kvm",
    }
    return HostFingerprint(**{**values, **changes})


def provenance(**changes: Any) -> Provenance:
    values: dict[str, Any] = {
        "git_commit": "4f0c2c1a9b7d4e5f60718293a4b5c6d7e8f90a1b",
        "git_dirty": False,
        "command": ("prfpipe", "evaluate", "LEV-01", "--effort", "standard"),
        "created_at": "2026-11-23T08:15:00Z",
        "tools": {"prfpipe": "0.1.0", "py-spy": "0.4.1", "memray": "1.19.1"},
    }
    return Provenance(**{**values, **changes})


def noise(**changes: Any) -> NoiseProbe:
    values: dict[str, Any] = {
        "samples": 200,
        "spread_percent": 1.3,
        "stolen_percent": 0.05,
        "load_1min": 0.31,
        "limit_percent": 5.0,
        "accepted": False,
    }
    return NoiseProbe(**{**values, **changes})


def plan(spec: LeverSpec | None = None, **changes: Any) -> Plan:
    spec = spec or lever()
    files = {name: sha256_hex(name.encode()) for name in ("baseline.py", "candidate.py", "workload.py")}
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "lever": spec,
        "effort": Effort.STANDARD,
        "rule": rule(spec),
        "seed": 20261123,
        "source_files": files,
        "source_digest": sha256_tree(files),
        "host": host(),
        "noise": noise(),
        "provenance": provenance(),
    }
    return Plan(**{**values, **changes})


# ---- samples --------------------------------------------------------------------------------------------


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
    arms: Sequence[Arm] = ARMS, seed: int = 7,
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
        elapsed_ns=int((index + 1) * 1.2e9),
        arms={
            arm: arm_samples(rng, centers[arm], operations, 61_000 if arm == "candidate" else 58_000)
            for arm in arms
        },
    )


def samples(
    speedups: Mapping[str, float] = SPEEDUPS, *, invocations: int = 10, operations: int = 40,
    arms: Sequence[Arm] = ARMS, seed: int = 7, baseline_ns: float | None = None,
) -> SampleSet:  # fmt: skip
    return SampleSet(
        schedules=tuple(Schedule(scenario=name, group=1, block=1, rounds=operations) for name in speedups),
        invocations=tuple(
            invocation(name, index, speedup, operations=operations, arms=arms, seed=seed, baseline_ns=baseline_ns)
            for name, speedup in speedups.items()
            for index in range(invocations)
        ),
    )


# ---- figures and verdict --------------------------------------------------------------------------------


def estimate(values: Sequence[float]) -> Estimate:
    """The median with the second smallest and largest as a stand-in interval; none under 6 values."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    if len(ordered) < 6:
        return Estimate(estimate=middle, low=None, high=None)
    return Estimate(estimate=middle, low=ordered[1], high=ordered[-2])


def summary(invocations: Sequence[Invocation], arm: Arm) -> ArmSummary:
    arms = [item.arms[arm] for item in invocations]
    pooled = sorted(sample for item in arms for sample in item.samples_ns)
    highest = stats.certified_quantile(len(pooled), Fraction(99, 100), Fraction(95, 100))

    def over(percent: int) -> Estimate:
        return estimate([float(stats.quantile(item.samples_ns, Fraction(percent, 100))) for item in arms])

    return ArmSummary(
        p50_ns=over(50),
        p95_ns=over(95),
        p99_ns=over(99),
        throughput=estimate([len(item.samples_ns) * 1e9 / sum(item.samples_ns) for item in arms]),
        peak_rss_kib=estimate([float(item.peak_rss_kib) for item in arms]),
        cold_start_ns=estimate([float(item.cold_start_ns) for item in arms]),
        certified=Certified(
            quantile=float(highest), upper_bound_ns=float(pooled[-1]), samples=len(pooled), confidence=0.95
        ),
        samples=len(pooled),
        operations=len(pooled),
    )


def _of(sample_set: SampleSet, scenario: str) -> list[Invocation]:
    return [item for item in sample_set.invocations if item.scenario == scenario and item.excluded is None]


def _ratio(invocations: Sequence[Invocation], arm: Arm, percent: int) -> Estimate:
    return estimate(
        [
            stats.quantile(item.arms["baseline"].samples_ns, Fraction(percent, 100))
            / stats.quantile(item.arms[arm].samples_ns, Fraction(percent, 100))
            for item in invocations
        ]
    )


def scenario_result(sample_set: SampleSet, scenario: Scenario) -> ScenarioResult:
    found = _of(sample_set, scenario.name)
    arms = [item.arms for item in found]
    sums = [sum(item["baseline"].samples_ns) / sum(item["candidate"].samples_ns) for item in arms]
    return ScenarioResult(
        scenario=scenario.name,
        primary=scenario.primary,
        invocations=len(found),
        confidence=0.99,
        looks=2,
        speedup=_ratio(found, "candidate", 50),
        gains={
            "p95": _ratio(found, "candidate", 95),
            "p99": _ratio(found, "candidate", 99),
            "throughput": estimate(sums),
            "peak_rss": estimate([item["baseline"].peak_rss_kib / item["candidate"].peak_rss_kib for item in arms]),
            "cold_start": estimate(
                [item["baseline"].cold_start_ns / item["candidate"].cold_start_ns for item in arms]
            ),
        },
        control=_ratio(found, "control", 50),
        resolvable_percent=0.6,
        arms={arm: summary(found, arm) for arm in ARMS},
    )


def baseline_results(spec: LeverSpec, sample_set: SampleSet) -> tuple[BaselineResult, ...]:
    return tuple(
        BaselineResult(
            scenario=scenario.name,
            primary=scenario.primary,
            invocations=len(found),
            confidence=0.95,
            control=_ratio(found, "control", 50),
            arms={arm: summary(found, arm) for arm in ("baseline", "control")},
        )
        for scenario in spec.scenarios
        if (found := _of(sample_set, scenario.name))
    )


REASONS: dict[VerdictWord, tuple[Reason, ...]] = {
    "adopt": (
        Reason(code="gain", message="The primary scenario is faster: the interval lies above the least gain of 1 %."),
        Reason(code="guards-hold", message="All four guards hold."),
        Reason(code="proof", message="Both variants gave the same outputs in all 2,412 compared operations."),
    ),
    "reject": (Reason(code="slower", message="The candidate is 2.1 % slower: the whole interval lies below 1×."),),
    "undecided": (
        Reason(code="straddles", message="The interval straddles the least gain of 1 %; this run resolves 1.8 %."),
    ),
}


def verdict(
    the_plan: Plan, sample_set: SampleSet, word: VerdictWord = "adopt", claim: ClaimWord = "met", **changes: Any
) -> Verdict:
    values: dict[str, Any] = {
        "run_id": the_plan.run_id,
        "lever": the_plan.lever.id,
        "effort": the_plan.effort,
        "verdict": word,
        "claim": claim,
        "reasons": REASONS[word],
        "guards": tuple(
            GuardResult(metric=guard.metric, state=state, max_regression_percent=5.0, worst_percent=worst)
            for guard, (state, worst) in zip(
                the_plan.lever.guards,
                (("holds", -85.1), ("violated", 5.6), ("holds", 1.2), ("undecided", None)),
                strict=False,
            )
        ),
        "scenarios": tuple(
            scenario_result(sample_set, scenario)
            for scenario in the_plan.lever.scenarios
            if _of(sample_set, scenario.name)
        ),
    }
    return Verdict(**{**values, **changes})


# ---- proof, profiles, tree ------------------------------------------------------------------------------


def case(name: str = "same bytes at two paths", *, passed: bool = True, detail: str = "") -> CaseResult:
    return CaseResult(name=name, passed=passed, operations=4, detail=detail)


def proof(stage: str = "prove", **changes: Any) -> ProofRecord:
    conformance = tuple(case(f"{name}.json") for name in ("core-fs", "esm-imports", "unsafe-eval"))
    values: dict[str, Any] = {
        "stage": stage,
        "tree_digest": sha256_hex(b"tree"),
        "conformance": tuple(
            ConformanceResult(variant=variant, cases=conformance) for variant in ("baseline", "candidate")
        ),
        "lockstep": (LockstepResult(scenario=PRIMARY, seed=11, operations=2400, differences=()),),
    }
    if stage == "prove":
        values |= {
            "edge_cases": tuple(
                case(name)
                for name in ("same bytes at two paths", "mtime restored", "symlink loop", "truncated cache file")
            ),
            "coverage": (
                CoverageFile(
                    file="candidate.py", lines=142, branches=48, missing_lines=(88, 91),
                    missing_branches=((87, 88),), excluded_lines=(88, 91),
                ),
            ),
            "self_test": tuple(
                MutantResult(mutant=name, caught=True, tried=12)
                for name in ("empty", "stale", "echoed input", "off by one", "NaN", "reordered")
            ),
        }  # fmt: skip
    return ProofRecord(**{**values, **changes})


def hotspots(*shares: tuple[str, float, float]) -> tuple[Hotspot, ...]:
    return tuple(
        Hotspot(function=name, file=f"analyser.py:{40 + index}", self_percent=own, total_percent=total)
        for index, (name, own, total) in enumerate(shares)
    )


def profile(variant: str = "baseline", **changes: Any) -> ProfileRecord:
    shares = (
        ("parse", 41.2, 44.0), ("matches", 27.9, 31.5), ("read_bytes", 6.1, 6.4), ("analyse_module", 4.4, 88.3),
        ("canonical", 2.2, 3.1), ("sha256", 1.9, 1.9), ("report", 1.2, 4.4), ("join_table", 0.9, 2.0),
        ("glob", 0.7, 0.9), ("operate", 0.4, 99.1),
    )  # fmt: skip
    values: dict[str, Any] = {
        "variant": variant,
        "operations": 18 if variant == "baseline" else 120,
        "cpu": CpuProfile(
            samples=4_812,
            errors=3,
            unknown_percent=0.4,
            hotspots=hotspots(*(shares if variant == "baseline" else shares[::-1])),
            targets=("analyser.py:analyse_module",),
            target_percent=88.3,
            amdahl_speedup=8.55,
        ),
        "allocations": AllocationProfile(
            peak_bytes=41_210_880,
            total_bytes=812_220_416,
            allocations=1_204_551,
            sites=tuple(
                AllocationSite(function=name, file="analyser.py:40", bytes=int(total * 5e6), allocations=int(own * 900))
                for name, own, total in shares[:5]
            ),
        ),
    }
    return ProfileRecord(**{**values, **changes})


def profile_diff(**changes: Any) -> ProfileDiff:
    rows = (
        ("analyse_module", 88.3, 9.1, True), ("parse", 44.0, 4.4, True), ("matches", 31.5, 3.3, True),
        ("sha256", 0.0, 1.9, True), ("read_bytes", 6.4, 6.3, False),
    )  # fmt: skip
    values: dict[str, Any] = {
        "after_total_percent": 13.6,
        "saved_percent": 86.4,
        "saved_in_targets_percent": 79.2,
        "savings": tuple(
            Saving(
                function=name, file="analyser.py:40", before_percent=before, after_percent=after,
                saved_percent=round(before - after, 3), in_optimized_path=inside,
            )
            for name, before, after, inside in rows
        ),
    }  # fmt: skip
    return ProfileDiff(**{**values, **changes})


def tree(**changes: Any) -> TreeRecord:
    files = {name: sha256_hex(name.encode()) for name in ("baseline.py", "candidate.py", "workload.py")}
    values: dict[str, Any] = {
        "files": files,
        "digest": sha256_tree(files),
        "changed_files": ("candidate.py",),
        "outside_path": (),
    }
    return TreeRecord(**{**values, **changes})


PATCH = b"""\
--- a/analyser.py
+++ b/analyser.py
@@ -40,4 +40,6 @@ class Subject:
     def operate(self, operation):
-        return [analyse_module(path) for path in operation["modules"]]
+        facts = [self.cache.get(path) for path in operation["modules"]]
+        # <content hash> & grammar version
+        return join(facts)
"""


def flamegraph(title: str = "baseline") -> bytes:
    boxes = "".join(
        f'<g><rect x="{10 + 8 * level}" y="{150 - 18 * level}" width="{780 - 60 * level}" height="17" '
        f'fill="hsl({20 + 5 * level},80%,60%)"/><text x="{14 + 8 * level}" y="{163 - 18 * level}" '
        f'font-size="12">frame_{level} ({title})</text></g>'
        for level in range(8)
    )
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="180" viewBox="0 0 800 180">'
    return f'{head}<rect width="800" height="180" fill="#ffffff"/>{boxes}</svg>'.encode()


def evidence(
    word: VerdictWord = "adopt", claim: ClaimWord = "met", speedups: Mapping[str, float] = SPEEDUPS, *,
    invocations: int = 10, operations: int = 40, **changes: Any,
) -> Evidence:  # fmt: skip
    """A complete run; give `changes` to replace parts of it."""
    the_plan = changes.pop("plan", None) or plan(lever(speedups))
    sample_set = samples(speedups, invocations=invocations, operations=operations)
    values: dict[str, Any] = {
        "plan": the_plan,
        "verdict": verdict(the_plan, sample_set, word, claim),
        "verdict_sha256": sha256_hex(b"verdict"),
        "baseline": baseline_results(the_plan.lever, sample_set),
        "samples": sample_set,
        "prove": proof("prove"),
        "verify": proof("verify"),
        "profiles": (profile("baseline"), profile("candidate")),
        "diff": profile_diff(),
        "flamegraphs": {name: flamegraph(name) for name in ("baseline", "candidate", "diff")},
        "tree": tree(),
        "patch": PATCH,
    }
    return Evidence(**{**values, **changes})
