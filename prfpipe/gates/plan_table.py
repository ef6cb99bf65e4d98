"""The table with what a gate fixed before its first measurement."""

from collections.abc import Iterable

from prfpipe.gates.boundaries import looks_up_to
from prfpipe.gates.judge import MOST
from prfpipe.gates.measurement import GateContext
from prfpipe.models import GateTable


def plan_table(context: GateContext, own: Iterable[tuple[str, str]]) -> GateTable:
    """`own` rows of the gate (what and value), then those that every gate with samples has."""
    return GateTable(title="Plan", columns=("what", "value"), rows=(*own, *_shared(context)))


def _shared(context: GateContext) -> Iterable[tuple[str, str]]:
    limit = context.options.samples or MOST[context.options.effort]
    sizes = [look.samples for look in looks_up_to(limit)] or [limit]
    yield "samples of each subject", f"{', '.join(map(str, sizes))}: more only where the answer is open"
    yield "measuring CPU", str(context.host.measuring_cpu)
    yield "longest wait for an answer", f"{context.settings.subject_timeout_seconds:g} s"
    yield "budgets", ", ".join(_budget(name, found.budget) for name, found in context.budgets.items())


def _budget(name: str, budget: float | None) -> str:
    return f"{name} out of scope" if budget is None else f"{name} {budget:g} ms"
