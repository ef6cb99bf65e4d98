"""An audit as text: checks, every figure from samples to verdict, what is not shown, the result."""

import textwrap
from collections.abc import Iterable, Iterator

from prfpipe.artifacts.names import clean
from prfpipe.audit import AuditReport
from prfpipe.audit.workings import LookWorkings, ScenarioWorkings, Workings
from prfpipe.models import Estimate

_SIGNS = {"holds": "ok  ", "noted": "note", "fails": "FAIL"}
_WIDTH = 116


def text(report: AuditReport) -> str:
    """Every check that was reached on a line, how many were not, the figures, then the result."""
    parts = [_checks(report), _figures(report.workings) if report.workings else [], _limits(report), _result(report)]
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part)


def _checks(report: AuditReport) -> Iterator[str]:
    reached = [check for check in report.checks if check.result != "skipped"]
    yield from (f"{_SIGNS[check.result]}  {check.title}: {check.detail}" for check in reached)
    if later := len(report.checks) - len(reached):
        yield f"?     {later} more checks were not reached: what they rest on fails"


def _limits(report: AuditReport) -> Iterator[str]:
    if report.accepted:
        yield "not shown by any audit:"
        yield from (f"- {line}" for line in report.not_shown)
        yield "what makes that hard all the same:"
        yield from (f"- {line}" for line in report.raises_the_cost)


def _result(report: AuditReport) -> Iterator[str]:
    if report.signature:
        yield f"signature: {report.signature.state}: {report.signature.detail}"
    word = "ACCEPTED" if report.accepted else "REFUSED"
    claim = f"verdict {report.verdict}, claim {report.claim}" if report.accepted else "nothing in it can be relied on"
    yield f"{word}: {report.run_id or 'this bundle'}: {claim}"


def _figures(found: Workings) -> Iterator[str]:
    yield f"order seed {found.seed}, error rate {_percent(found.alpha)}"
    yield f"a gain is a speed-up above {found.threshold:g}x; claimed are {found.claimed[0]:g}x to {found.claimed[1]:g}x"
    for scenario in found.scenarios:
        yield from _scenario(scenario)
    for guard in found.guards:
        limit, worst = f"may get worse by {guard.max_regression_percent:g} %", _worst(guard.worst_percent)
        yield f"guard {guard.metric}: {guard.state}: {limit}, worst case {worst}"
    for stratum in found.strata:
        limit, worst = f"may be slower by {stratum.margin_percent:g} %", _worst(stratum.worst_percent)
        yield f"stratum {clean(stratum.scenario)}: {stratum.state}: {limit}, worst case {worst}"
    floor = "has no interval" if found.noise_floor is None else f"allows for {found.noise_floor:.6f}x"
    yield f"A/A control: {floor}; a gain within that is none"
    yield f"claim: {found.claim}: met if the whole interval is at {found.claimed[0]:g}x or above"


def _scenario(found: ScenarioWorkings) -> Iterator[str]:
    role = ", primary" * found.primary + ", must hold" * found.must_hold
    yield f"{clean(found.scenario)}{role}: {found.invocations} invocations"
    for arm, values in found.p50_ns.items():
        yield from _list(f"median of the {arm}, ns", map(str, values))
    yield from _list("baseline / candidate", (f"{ratio:.6f}" for ratio in found.ratios))
    yield from _list("baseline / control", (f"{ratio:.6f}" for ratio in found.control_ratios))
    yield from (f"| {_look(look)}" for look in found.looks)
    yield f"| speed-up {_interval(found.speedup)}: the median of {found.pair_means} pair means{_ranks(found)}"
    yield f"| A/A control {_interval(found.control)}"
    yield from (f"| {metric} {_interval(gain)}" for metric, gain in found.gains.items())
    if found.resolvable_percent is not None:
        yield f"| could resolve {found.resolvable_percent:g} %"


def _ranks(found: ScenarioWorkings) -> str:
    if found.ranks is None:
        return ", too few invocations for an interval"
    return (
        f", bounds are number {found.ranks[0]} and {found.ranks[1]} of them, at {_percent(found.confidence)} confidence"
    )


def _look(look: LookWorkings) -> str:
    bound = f"pair mean {look.critical_count} from either end bounds" if look.critical_count else "nothing bounds yet"
    return f"look after {look.invocations} invocations: error up to {_percent(look.alpha_released)}, {bound}"


def _list(name: str, values: Iterable[str]) -> Iterator[str]:
    yield from textwrap.wrap(f"{name}: {' '.join(values)}", _WIDTH, initial_indent="| ", subsequent_indent="|   ")


def _interval(value: Estimate) -> str:
    bounds = "" if value.low is None or value.high is None else f" [{value.low:.6f}, {value.high:.6f}]"
    return f"{value.estimate:.6f}x{bounds}"


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def _worst(percent: float | None) -> str:
    return "not known" if percent is None else f"{percent:+.3f} %"
