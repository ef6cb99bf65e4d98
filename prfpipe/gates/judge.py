"""Measure until every budget is decided, or the effort's samples are used up; refuse what would judge nothing."""

from collections.abc import Collection, Mapping, Sequence

from prfpipe.artifacts.names import clean
from prfpipe.errors import NothingMeasuredError
from prfpipe.gates import decide
from prfpipe.gates.boundaries import looks_up_to
from prfpipe.gates.measurement import GateContext, Measurement, Paired, Sampled
from prfpipe.models import Effort, GateCheck, Quantiles

MOST: dict[Effort, int] = {Effort.QUICK: 370, Effort.STANDARD: 1000, Effort.RIGOROUS: 2000}
"""The most samples of each subject: up to the first look that can pass, to the fifth, to the last."""


def judge(context: GateContext, measured: Measurement) -> list[GateCheck]:
    """A check for every subject of the budgets, in their order.

    Raises:
        NothingMeasuredError: what was measured is not exactly what the budgets are about, or a subject has no samples.
        SubjectError: a subject failed.
    """
    match measured:
        case Sampled():
            checks = _sampled(context, measured)
        case Paired():
            checks = _paired(context, measured)
        case _:
            raise TypeError(f"{type(measured).__name__} is neither Sampled nor Paired")
    return [check.model_copy(update={"phases": _phases(measured, check.subject)}) for check in checks]


def _phases(measured: Measurement, subject: str) -> dict[str, Quantiles]:
    found = measured.phases().get(subject, {})
    return {name: decide.quantiles(samples) for name, samples in found.items() if samples}


def _sampled(context: GateContext, measured: Sampled) -> list[GateCheck]:
    limit = context.options.samples or MOST[context.options.effort]
    looks = looks_up_to(limit)
    wanted, asked = set(context.budgets), 0
    checks: list[GateCheck] = []
    # Without any look the samples are taken all the same: their figures are shown, and the answer stays open.
    for size in [look.samples for look in looks] or [limit]:
        context.progress.say(f"{context.gate.spec.id}: up to {size} samples of {clean(', '.join(sorted(wanted)), 500)}")
        measured.take(size - asked, frozenset(wanted))
        found, asked = measured.samples(), size
        _refuse_other_subjects(context.budgets, found)
        checks = [
            decide.p99(budget, found[name], looks, context.gate.spec.warn_at_percent)
            for name, budget in context.budgets.items()
        ]
        wanted = {check.subject for check in checks if check.subject in wanted and _goes_on(check, asked)}
        if not wanted:
            break
    return checks


def _goes_on(check: GateCheck, asked: int) -> bool:
    """Whether to take more of a subject: not once it is decided, is out of scope, or gave fewer than it was asked."""
    return check.state == "undecided" and check.samples >= asked


def _paired(context: GateContext, measured: Paired) -> list[GateCheck]:
    found = measured.overheads()
    _refuse_other_subjects(context.budgets, found)
    warn = context.gate.spec.warn_at_percent
    return [
        decide.overhead(budget, found[name].stratum, found[name].result, warn, found[name].doubts)
        for name, budget in context.budgets.items()
    ]


def _refuse_other_subjects(budgets: Collection[str], found: Mapping[str, object]) -> None:
    """A subject without samples would be left out of the answer; one without a budget would never be judged."""
    _refuse("not measured, but budgeted", sorted(set(budgets) - set(found)))
    _refuse("measured, but neither budgeted nor out of scope", sorted(set(found) - set(budgets)))


def _refuse(what: str, names: Sequence[str]) -> None:
    if names:
        raise NothingMeasuredError(
            f"{what}: {', '.join(names)}", hint="The subjects of gate.yaml must be exactly those that are measured."
        )
