"""Realistic plans of a made-up lever; every part is replaceable. `HOSTILE` is as bad as names get."""

from collections.abc import Mapping
from typing import Any, get_args

from prfpipe.digests import sha256_hex, sha256_tree
from prfpipe.models import (
    DecisionRule,
    Effort,
    Guard,
    GuardMetric,
    HostFingerprint,
    LeverSpec,
    NoiseProbe,
    Plan,
    Provenance,
    PythonVariant,
    Scenario,
    Variants,
)

HOSTILE = (
    "<script>alert(1)</script>\x1b[31m\x1b]0;owned\x07|`*_[x](http://h.example)$\\alpha$\u202eevil\r\n# heading\x00"
)
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
RULE_SECONDS = 180.0
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
        "look_weights": (0.2, 0.3, 0.5),
        "min_gain_percent": spec.min_gain_percent,
        "expected_speedup": spec.expected_speedup,
        "guards": spec.guards,
        "seconds": RULE_SECONDS,
        "secondary_seconds": 10.0,
        "baseline_seconds": 10.0,
        "min_invocations": 8,
        "secondary_invocations": 6,
        "max_invocations": 60,
        "tail_confidence": 0.95,
        "must_hold": spec.strata,
        "non_inferiority_percent": spec.non_inferiority_percent,
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
    usual = {name: sha256_hex(name.encode()) for name in ("baseline.py", "candidate.py", "workload.py")}
    files = changes.get("source_files", usual)
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
