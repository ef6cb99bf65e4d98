"""The events of a gate: PRF-004 for each budget that is exceeded, PRF-005 for a cold start within it, PRF-001."""

import shlex
from collections.abc import Iterator

from prfpipe.events import Event, Figures, make_event
from prfpipe.models import GateCheck, GateReport


def events_for(report: GateReport) -> tuple[Event, ...]:
    """The events of one gate's run, in the order of their codes."""
    return tuple(_events(report))


def _events(report: GateReport) -> Iterator[Event]:
    # What passes by an override is within no budget of the doctrine's.
    passed = report.state in {"pass", "warn"} and not any(check.override for check in report.checks)
    time, about = report.provenance.created_at, _about(report)
    if passed:
        yield make_event("PRF-001", {**about, "checks": float(len(report.checks))}, time=time, detail=f": {report.id}")
    for check in report.checks:
        if check.state == "fail":
            figures = {**about, **_figures(check)}
            yield make_event("PRF-004", figures, time=time, detail=f": {report.id} {check.subject}")
    if passed and report.id == "PRF-01":
        for check in report.checks:
            if check.state != "out-of-scope":
                yield make_event("PRF-005", {**about, **_figures(check)}, time=time, detail=f": {check.subject}")


def _about(report: GateReport) -> Figures:
    about: Figures = {"gate": report.id, "profile": report.profile.value}
    return about | ({"program": shlex.join(report.program)} if report.program else {})


def _figures(check: GateCheck) -> Figures:
    named: dict[str, float | None] = {
        "budget": check.budget,
        "value": check.value,
        "low": check.low,
        "high": check.high,
    }
    figures: Figures = {"subject": check.subject}
    return figures | {f"{name}_{check.unit}": value for name, value in named.items() if value is not None}
