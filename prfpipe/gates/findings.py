"""What a measuring leaves behind: series, phases, time line, words, profiles; and their file of samples."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from prfpipe.digests import canonical_json
from prfpipe.gates.measurement import Measurement, Moment, Sampled
from prfpipe.models import GateTable

SAMPLES = "samples.jsonl.gz"
_LEVEL = 6


@dataclass(frozen=True)
class Findings:
    """`samples` are judged, `also` only shown (ns by name); `files` are profiles by file name."""

    samples: Mapping[str, tuple[int, ...]]
    also: Mapping[str, tuple[int, ...]]
    phases: Mapping[str, Mapping[str, tuple[int, ...]]]
    timeline: tuple[Moment, ...]
    tables: tuple[GateTable, ...]
    notes: tuple[str, ...]
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Flames:
    """Profiles of failing paths by file name, and what kept others from being made."""

    files: Mapping[str, bytes]
    notes: tuple[str, ...]


NO_FLAMES = Flames({}, ())


def findings_of(measured: Measurement, flames: Flames) -> Findings:
    """Everything that is to be kept of a measuring, before it is closed."""
    return Findings(
        samples=_series(measured.samples()) if isinstance(measured, Sampled) else {},
        also=_series(measured.also()),
        phases={name: _series(found) for name, found in measured.phases().items()},
        timeline=tuple(measured.timeline()),
        tables=tuple(measured.tables()),
        notes=(*measured.notes(), *flames.notes),
        files=flames.files,
    )


def _series(found: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(values) for name, values in found.items()}


def samples_bytes(found: Findings) -> bytes:
    """`samples.jsonl.gz`: a line for each series and each moment of the time line; equal samples, equal bytes."""
    lines = b"".join(canonical_json(line) + b"\n" for line in _lines(found))
    return gzip.compress(lines, compresslevel=_LEVEL, mtime=0)


def _lines(found: Findings) -> Iterator[dict[str, object]]:
    yield {"kind": "samples", "format": "prfpipe/gate-samples/v1"}
    for name, values in found.samples.items():
        yield {"kind": "judged", "subject": name, "samples_ns": values}
    for name, values in found.also.items():
        yield {"kind": "shown", "name": name, "samples_ns": values}
    for subject, phases in found.phases.items():
        for name, values in phases.items():
            yield {"kind": "phase", "subject": subject, "name": name, "samples_ns": values}
    for moment in found.timeline:
        yield {"kind": "moment", **{"what" if key == "kind" else key: value for key, value in asdict(moment).items()}}
