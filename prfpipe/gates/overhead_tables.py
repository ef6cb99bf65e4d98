"""PRF-03's own tables: what each instrument costs, what is paid once, tails and their justification. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prfpipe.doctrine import OVERHEAD_BUDGET_PERCENT
from prfpipe.gates.measurement import Overhead
from prfpipe.models import BudgetInForce, Estimate, GateTable

_MS, _US = 1_000_000, 1000
_NOTHING = "–"


@dataclass(frozen=True)
class Costs:
    """What was found: by hot path all instruments together, by hot path and instrument one alone in percent.

    `paid_once` is in ns, `operations` says for each hot path what one operation is.
    """

    together: Mapping[str, Overhead]
    alone: Mapping[str, Mapping[str, float]]
    paid_once: Mapping[str, int]
    operations: Mapping[str, str]


def tables(costs: Costs, budgets: Mapping[str, BudgetInForce]) -> tuple[GateTable, ...]:
    """All tables that there is something to say in."""
    return tuple(
        table for table in (_operations(costs), _split(costs), _tails(costs, budgets), _once(costs)) if table.rows
    )


def _operations(costs: Costs) -> GateTable:
    return GateTable(
        title="What one operation is",
        columns=("hot path", "off, p50", "on, p50", "operation"),
        rows=tuple(
            (path, _p50(found, "baseline"), _p50(found, "candidate"), costs.operations.get(path, _NOTHING))
            for path, found in costs.together.items()
        ),
    )


def _p50(found: Overhead, arm: str) -> str:
    p50 = next(summary.p50_ns for name, summary in found.result.arms.items() if name == arm)
    return f"{p50.estimate / _MS:.3f} ms"


def _split(costs: Costs) -> GateTable:
    names = list(dict.fromkeys(name for found in costs.alone.values() for name in found))
    return GateTable(
        title="Cost by instrument",
        columns=("hot path", "all", *names),
        rows=tuple(
            (path, _percent(overhead_percent(found.result.speedup)), *(_alone(costs, path, name) for name in names))
            for path, found in costs.together.items()
            if names
        ),
        note="One instrument alone, from few invocations: described, not judged. A figure near 0 may have either sign.",
    )


def overhead_percent(speedup: Estimate) -> float:
    """Off / on as the percent that on takes longer."""
    return 100 * (1 / speedup.estimate - 1)


def _alone(costs: Costs, path: str, name: str) -> str:
    found = costs.alone.get(path, {}).get(name)
    return _NOTHING if found is None else _percent(found)


def _percent(value: float) -> str:
    return f"{value:+.2f} %"


def _tails(costs: Costs, budgets: Mapping[str, BudgetInForce]) -> GateTable:
    return GateTable(
        title="Tails and justification (ART-05)",
        columns=("hot path", "off, p99", "on, p99", "overhead, p50", "at most", "justification"),
        rows=tuple(_tail(path, found, budgets.get(path)) for path, found in costs.together.items()),
        note=f"A justification is needed for what may be over {OVERHEAD_BUDGET_PERCENT:g} %.",
    )


def _tail(path: str, found: Overhead, budget: BudgetInForce | None) -> tuple[str, ...]:
    arms, worst = found.result.arms, found.stratum.worst_percent
    return (
        path,
        f"{arms['baseline'].p99_ns.estimate / _MS:.3f} ms",
        f"{arms['candidate'].p99_ns.estimate / _MS:.3f} ms",
        _percent(overhead_percent(found.result.speedup)),
        _NOTHING if worst is None else _percent(worst),
        _justification(worst, budget),
    )


def _justification(worst: float | None, budget: BudgetInForce | None) -> str:
    if worst is not None and worst <= OVERHEAD_BUDGET_PERCENT:
        return "not needed"
    return next(_given(budget), "not decided yet" if worst is None else "missing: gate.yaml gives none")


def _given(budget: BudgetInForce | None) -> Iterator[str]:
    if budget is not None:
        yield from (text for text in (budget.out_of_scope, budget.override) if text)


def _once(costs: Costs) -> GateTable:
    return GateTable(
        title="Paid once",
        columns=("what", "cost"),
        rows=tuple((name, f"{value / _US:.1f} µs") for name, value in costs.paid_once.items()),
        note="Medians of fresh processes; none of it is part of an overhead above.",
    )
