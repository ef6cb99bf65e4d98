"""What PRF-02 shows besides its verdict: ratios to static, spikes and what they waited for, what churn leaves. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from prfpipe import stats
from prfpipe.figures import P50, P99
from prfpipe.gates import decide
from prfpipe.gates.boundaries import looks_up_to
from prfpipe.models import GateTable

SPIKES = 8
_NONE = "–"
_OVERLOADED_PERCENT = 90


class Served(NamedTuple):
    """One operation, in ns: when it was due (from the first of all), how long it waited, how long it took then.

    `collected_ns`: how much of the service was the garbage collector's.
    """

    kind: str
    due_ns: int
    waited_ns: int
    service_ns: int
    collected_ns: int = 0

    @property
    def latency_ns(self) -> int:
        """From when it was due."""
        return self.waited_ns + self.service_ns


class Process(NamedTuple):
    """One arm's process. `pauses` of the garbage collector and `span_ns`, the time in which all was due, in ns."""

    arm: str
    served: Sequence[Served]
    pauses: Sequence[int]
    facts: Mapping[str, int]
    peak_rss_kib: int
    span_ns: int

    @property
    def busy_percent(self) -> float:
        """How much of the time it served; over 100 it got more to do than it can."""
        return 100 * sum(served.service_ns for served in self.served) / max(self.span_ns, 1)


def latencies(served: Sequence[Served]) -> dict[str, list[int]]:
    """By kind, in the order in which they were due."""
    found: dict[str, list[int]] = {}
    for item in served:
        found.setdefault(item.kind, []).append(item.latency_ns)
    return found


def ratios(static: Sequence[Served], churn: Sequence[Served]) -> GateTable:
    """p50 and p99 of both arms and their ratio, with bounds where both p99 have such."""
    before, after = latencies(static), latencies(churn)
    rows = tuple((kind, *_compared(before.get(kind, ()), values)) for kind, values in after.items())
    return GateTable(
        title="Churn against static",
        columns=("subsystem", "p50 static", "p50 churn", "p99 static", "p99 churn", "p99 ratio", "bounds"),
        rows=rows,
        note="Descriptive. Bounds of a ratio come from the exact bounds of both p99, so that it lies between them with "
        "90 % at each side; they need as many samples as a pass does.",
    )


def _compared(static: Sequence[int], churn: Sequence[int]) -> tuple[str, ...]:
    p50, p99 = (_ms(stats.quantile(churn, q)) for q in (P50, P99))
    if not static:
        return (_NONE, p50, _NONE, p99, _NONE, _NONE)
    slower = stats.quantile(churn, P99) / stats.quantile(static, P99)
    return (
        _ms(stats.quantile(static, P50)),
        p50,
        _ms(stats.quantile(static, P99)),
        p99,
        f"{slower:.2f}x",
        _bounds(static, churn),
    )


def _bounds(static: Sequence[int], churn: Sequence[int]) -> str:
    looks = looks_up_to(min(len(static), len(churn)))
    if not looks:
        return _NONE
    low, high = decide.bounds(churn[: looks[-1].samples], looks[-1])
    base_low, base_high = decide.bounds(static[: looks[-1].samples], looks[-1])
    if low is None or high is None or base_low is None or base_high is None:
        return _NONE
    return f"{low / base_high:.2f}x to {high / base_low:.2f}x"


def spikes(served: Sequence[Served]) -> GateTable:
    """The longest latencies, and which operation was served right before."""
    behind = {id(after): before for before, after in pairwise(served)}
    longest = sorted(served, key=lambda item: -item.latency_ns)[:SPIKES]
    rows = tuple(
        (
            f"{item.due_ns / 1e9:.3f} s",
            item.kind,
            _ms(item.latency_ns),
            _ms(item.waited_ns),
            _ms(item.service_ns),
            _ms(item.collected_ns),
            behind[id(item)].kind if id(item) in behind else _NONE,
        )
        for item in longest
    )
    return GateTable(
        title="Longest latencies under churn",
        columns=(
            "due at",
            "subsystem",
            "latency",
            "of it waited",
            "of it served",
            "of that collector",
            "served before it",
        ),
        rows=rows,
    )


def processes(found: Sequence[Process]) -> GateTable:
    """How busy each arm was, what its garbage collector did, what it holds in the end."""
    facts = sorted({name for process in found for name in process.facts})
    columns = ("arm", "busy", "collector's pauses", "their sum", "longest", "peak memory", *facts)
    return GateTable(title="Processes", columns=columns, rows=tuple(_process(item, facts) for item in found))


def overload(found: Sequence[Process]) -> list[str]:
    """A note for each arm that was so busy that its latencies are those of a queue, whatever an operation takes.

    With a load of 90 % the mean wait is 4.5 times the service even if all take equally long (Khinchine 1932).
    """
    return [
        f"The {item.arm} arm was busy {item.busy_percent:.0f} % of the time: its latencies are mostly a queue's. "
        "What shortens any operation, or a faster machine, shortens all of them."
        for item in found
        if item.busy_percent >= _OVERLOADED_PERCENT
    ]


def _process(item: Process, facts: Sequence[str]) -> tuple[str, ...]:
    return (
        item.arm,
        f"{item.busy_percent:.0f} %",
        str(len(item.pauses)),
        _ms(sum(item.pauses)),
        _ms(max(item.pauses, default=0)),
        f"{item.peak_rss_kib / 1024:.1f} MiB",
        *(str(item.facts.get(name, _NONE)) for name in facts),
    )


def _ms(value_ns: int) -> str:
    return f"{value_ns / 1e6:.3f} ms"
