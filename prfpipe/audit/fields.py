"""Every field that the doctrine lists, looked up in the files that answer to it.

A field is there if each planned scenario (or each variant, for profiles) has it with a value that says something:
a number where a figure belongs, a text that is not empty. Whether the value is right is for the other checks.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prfpipe import doctrine, layout
from prfpipe.artifacts.art05 import NOT_INSTRUMENTED
from prfpipe.audit.bundle import Bundle
from prfpipe.digests import read_json
from prfpipe.models import ProofRecord
from prfpipe.plan import NO_COMMIT, planned_scenarios

Holds = Callable[[Bundle], bool]


def lacking_fields(bundle: Bundle, artifact: doctrine.Artifact) -> Iterator[str]:
    """The fields of an artifact that its files do not hold, in the doctrine's words and order."""
    yield from (field for field in artifact.fields if not FIELDS[artifact.id][field](bundle))


def _at(value: Any, *keys: str) -> Any:
    """What stands under these keys; None where the way to it is broken off."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _document(bundle: Bundle, name: str) -> Any:
    return read_json(bundle.file(name), source=name)


def _top(name: str, *keys: str) -> Holds:
    """A value that every artifact says once."""
    return lambda bundle: _at(_document(bundle, name), *keys) not in (None, "", [], NO_COMMIT)


def _each(name: str, *ways: tuple[str, ...]) -> Holds:
    """Numbers that stand in each planned scenario's entry, at each of the ways."""

    def holds(bundle: Bundle) -> bool:
        entries = {_at(item, "scenario"): item for item in _at(_document(bundle, name), "scenarios") or ()}
        planned = [scenario.name for scenario in planned_scenarios(bundle.plan)]
        return all(_is_number(_at(entries.get(each), *way)) for each in planned for way in ways)

    return holds


# ---- ART-01 ---------------------------------------------------------------------------------------------


def _environment(bundle: Bundle) -> bool:
    host = _at(_document(bundle, layout.BASELINE_REPORT), "host")
    return all(_at(host, key) for key in ("cpu_model", "cpus", "memory_kib", "kernel", "os", "python"))


def _baseline(metric: str) -> Holds:
    return _each(layout.BASELINE_REPORT, ("arms", "baseline", metric, "estimate"))


# ---- ART-02 ---------------------------------------------------------------------------------------------


def _flamegraph(bundle: Bundle) -> bool:
    names = [layout.profile_file(side, "cpu.svg") for side in layout.VARIANTS]
    return all(b"<svg" in bundle.file(name)[:4096] for name in names)


def _hotspots(bundle: Bundle) -> bool:
    """Ten by their own share and ten by all of it, or as many as the profile has functions."""
    if {profile.variant for profile in bundle.profiles if profile.cpu} != set(layout.VARIANTS):
        return False
    return all(
        len(found) >= min(doctrine.HOTSPOTS, len(profile.cpu.hotspots if profile.cpu else ())) > 0
        and all(_is_number(_at(each, share)) for each in found)
        for profile in bundle.profiles
        for share, found in _tables(_document(bundle, layout.profile_file(profile.variant, "hotspots.json")))
    )


def _tables(document: Any) -> Iterator[tuple[str, list[Any]]]:
    yield from ((f"{kind}_percent", _at(document, kind) or []) for kind in ("self", "total"))


def _allocations(bundle: Bundle) -> bool:
    """Where it is relevant, which a lever says by asking for memray."""
    if "memray" not in bundle.plan.lever.profiles:
        return True
    told = [_document(bundle, layout.profile_file(side, "memory.json")) for side in layout.VARIANTS]
    measured = all(_is_number(_at(each, "peak_bytes")) and _at(each, "sites") is not None for each in told)
    return measured and all(profile.allocations for profile in bundle.profiles)


# ---- ART-03 ---------------------------------------------------------------------------------------------

_METRICS = ("p50_ns", "p95_ns", "p99_ns", "throughput", "peak_rss_kib", "cold_start_ns")


def _compared(metric: str) -> Holds:
    return _each(layout.COMPARISON, *(("metrics", metric, side, "estimate") for side in layout.VARIANTS))


_improvement = _each(layout.COMPARISON, *(("metrics", each, "improvement_percent", "estimate") for each in _METRICS))


# ---- ART-04 ---------------------------------------------------------------------------------------------


def _proofs(holds: Callable[[ProofRecord], bool]) -> Holds:
    """Something that the proof before and the proof after both show."""

    def both(bundle: Bundle) -> bool:
        found = (bundle.proof("prove"), bundle.proof("verify"))
        return all(proof is not None and holds(proof) for proof in found)

    return both


def _conformance(proof: ProofRecord) -> bool:
    return {result.variant for result in proof.conformance if result.cases} == set(layout.VARIANTS)


def _lockstep(proof: ProofRecord) -> bool:
    return bool(proof.lockstep) and all(result.operations for result in proof.lockstep)


def _coverage(bundle: Bundle) -> bool:
    proof = bundle.proof("prove")
    return proof is not None and bool(proof.edge_cases and (proof.coverage or proof.coverage_reason))


# ---- ART-05 ---------------------------------------------------------------------------------------------


def _justification(bundle: Bundle) -> bool:
    """Given where an overhead is over the budget, unless the lever adds no instrumentation and says so."""
    told = _document(bundle, layout.TAIL)
    note = _at(told, "justification_note")
    excused = _at(told, "over_budget") == [] or bool(_at(told, "justification"))
    return isinstance(note, str) and bool(note) and (excused or note.startswith(NOT_INSTRUMENTED))


FIELDS: Mapping[str, Mapping[str, Holds]] = {
    "ART-01": {
        "hardware and environment": _environment,
        "command to reproduce": _top(layout.BASELINE_REPORT, "command"),
        "p50 latency": _baseline("p50_ns"),
        "p95 latency": _baseline("p95_ns"),
        "p99 latency": _baseline("p99_ns"),
        "throughput": _baseline("throughput"),
        "memory footprint": _baseline("peak_rss_kib"),
        "timestamp": _top(layout.BASELINE_REPORT, "timestamp"),
        "git commit": _top(layout.BASELINE_REPORT, "git_commit"),
    },
    "ART-02": {
        "flamegraph": _flamegraph,
        "top-10 hotspots in percent": _hotspots,
        "allocation profile": _allocations,
    },
    "ART-03": {
        "p50 latency": _compared("p50_ns"),
        "p95 latency": _compared("p95_ns"),
        "p99 latency": _compared("p99_ns"),
        "throughput": _compared("throughput"),
        "peak RSS": _compared("peak_rss_kib"),
        "cold-start time": _compared("cold_start_ns"),
        "improvement in percent": _improvement,
    },
    "ART-04": {
        "conformance before and after": _proofs(_conformance),
        "lockstep comparison": _proofs(_lockstep),
        "edge-case coverage of the optimized path": _coverage,
    },
    "ART-05": {
        "p99 impact": _each(
            layout.TAIL, ("p99_ns", "baseline", "estimate"), ("p99_ns", "candidate", "estimate"),
            ("p99_overhead_percent", "estimate"),
        ),
        "overhead in percent": _each(layout.TAIL, ("p50_overhead_percent", "estimate")),
        "justification if the overhead exceeds 5 %": _justification,
    },
}  # fmt: skip
