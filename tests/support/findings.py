"""Realistic proofs, profiles, trees and pictures of a made-up lever; every part is replaceable."""

from typing import Any

from prfpipe.digests import sha256_hex, sha256_tree
from prfpipe.models import (
    AllocationProfile,
    AllocationSite,
    BadOutputResult,
    CaseResult,
    ConformanceResult,
    CoverageFile,
    CpuProfile,
    Hotspot,
    LockstepResult,
    MutantResult,
    ProfileDiff,
    ProfileRecord,
    ProofRecord,
    Saving,
    TreeRecord,
)
from tests.support.plans import PRIMARY


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
            "mutants": (
                MutantResult(
                    mutant="trusts_mtime", caught_by="mtime restored", caught=True,
                    detail="operation 1: first difference at character 7: right has `fs`, mutant has `os`",
                ),
            ),
            "coverage": (
                CoverageFile(
                    file="candidate.py", lines=142, branches=48, missing_lines=(88, 91),
                    missing_branches=((87, 88),), excluded_lines=(88, 91),
                ),
            ),
            "self_test": tuple(
                BadOutputResult(kind=name, caught=True, tried=12)
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
