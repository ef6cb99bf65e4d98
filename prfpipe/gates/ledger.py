"""Budgets, and what they are measured on, must be what their ledger of reasoned changes adds up to. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise

from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.errors import GateError
from prfpipe.lever.checks import Problem
from prfpipe.models import BudgetChange, BudgetInForce, Budgets, DeploymentProfile, GateSpec

FILE_NAME = "gate.yaml"
MEASURED = {"subject", "requires", "params", "warn_at_percent"}
"""The keys of a gate.yaml that decide what is measured and when a warning comes."""

_ADD = "a change of a budget needs an entry in `changes` with a date and a reason, and `version` one higher"
_ADD_MEASURES = _ADD.replace("a budget", "what is measured")
_HINT = "docs/gates.md, `Changing a budget`, shows an entry."


def digest_of(value: object) -> str:
    """What names a JSON value in `measures`: the first 16 digits of the sha256 of its canonical form."""
    return sha256_hex(canonical_json(value))[:16]


def measured(spec: GateSpec) -> str:
    """The digest of what a gate.yaml says about what is measured; comments and order do not count."""
    return digest_of(spec.model_dump(mode="json", include=MEASURED))


def problems(spec: GateSpec, beside: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the budgets and their ledger, each with the keys that lead to it.

    `beside`: the digests of the files that decide as well what is measured, by their names.
    """
    yield from _entries(spec)
    yield from _fold_differs(spec)
    yield from _measures(spec, {FILE_NAME: measured(spec), **beside})
    yield from _scope(spec)
    yield from _overrides(spec)


def fold(changes: Sequence[BudgetChange]) -> tuple[Budgets, dict[str, str]]:
    """The budgets, and what is out of scope and why, after all changes in order."""
    budgets: Budgets = {}
    outside: dict[str, str] = {}
    for change in changes:
        for subject, reason in change.out_of_scope.items():
            outside[subject] = reason
            for found in budgets.values():
                found.pop(subject, None)
        for profile, names in change.remove.items():
            for name in names:
                budgets.get(profile, {}).pop(name, None)
        for profile, values in change.set.items():
            budgets.setdefault(profile, {}).update(values)
            for subject in values:
                outside.pop(subject, None)
    return {profile: found for profile, found in budgets.items() if found}, outside


def in_force(spec: GateSpec, profile: DeploymentProfile, today: date) -> dict[str, BudgetInForce]:
    """Every subject's budget on a day, overrides that have not ended included; subjects out of scope without one.

    Raises:
        GateError: the gate has no budgets for this profile.
    """
    found = spec.budgets.get(profile, {})
    if not found:
        has = ", ".join(known.value for known in spec.budgets) or "none"
        raise GateError(f"{spec.id} has no budgets for the profile {profile.value}: it has {has}", hint=_HINT)
    overrides = {
        item.subject: item
        for item in spec.overrides
        if item.profile is profile and date.fromisoformat(item.until) >= today
    }
    result = {}
    for subject, standing in found.items():
        other = overrides.get(subject)
        result[subject] = BudgetInForce(
            subject=subject,
            budget=other.budget if other else standing,
            standing=standing,
            override=f"until {other.until}: {other.reason}" if other else "",
        )
    for subject, reason in spec.out_of_scope.items():
        result[subject] = BudgetInForce(subject=subject, budget=None, out_of_scope=reason)
    return result


def _entries(spec: GateSpec) -> Iterator[Problem]:
    if spec.version != len(spec.changes):
        yield ("version",), f"version: {spec.version}, but `changes` has {len(spec.changes)} entries: {_ADD}"
    for at, change in enumerate(spec.changes):
        if not (change.set or change.out_of_scope or change.remove or change.measures):
            yield ("changes", at), "changes: an entry that changes nothing"
        if not _is_day(change.date):
            yield ("changes", at, "date"), f"changes.{at}.date: there is no day {change.date}"
        if len(set(change.reason.lower().split())) < 3:
            yield ("changes", at, "reason"), f"changes.{at}.reason: {change.reason!r} is no reason"
    for at, (one, other) in enumerate(pairwise(spec.changes), start=1):
        if other.date < one.date:
            yield ("changes", at, "date"), f"changes.{at}.date: {other.date} stands after {one.date}"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _fold_differs(spec: GateSpec) -> Iterator[Problem]:
    budgets, outside = fold(spec.changes)
    for profile in dict.fromkeys([*budgets, *spec.budgets]):
        written, folded = spec.budgets.get(profile, {}), budgets.get(profile, {})
        for subject in dict.fromkeys([*folded, *written]):
            if written.get(subject) != folded.get(subject):
                shown = f"{written.get(subject, 'no budget')} here, {folded.get(subject, 'no budget')} by the changes"
                where = ("budgets", profile.value, subject)
                yield where, f"budgets.{profile.value}.{subject}: {shown}: {_ADD}"
    for subject in dict.fromkeys([*outside, *spec.out_of_scope]):
        if spec.out_of_scope.get(subject) != outside.get(subject):
            yield ("out_of_scope", subject), f"out_of_scope.{subject}: not as by the changes: {_ADD}"


def _measures(spec: GateSpec, found: Mapping[str, str]) -> Iterator[Problem]:
    recorded: dict[str, str] = {}
    for change in spec.changes:
        recorded |= change.measures
    for name, digest in found.items():
        if recorded.get(name) != digest:
            where, what = (("params",), " or ".join(sorted(MEASURED))) if name == FILE_NAME else (("subject",), name)
            to_write = f'`measures: {{{name}: "{digest}"}}`'
            yield where, f"{what}: not what `changes` name: {_ADD_MEASURES}, with {to_write}"


def _scope(spec: GateSpec) -> Iterator[Problem]:
    if not any(spec.budgets.values()):
        yield ("budgets",), "budgets: none: a gate without budgets would pass by judging nothing"
    subjects = {profile: set(found) for profile, found in spec.budgets.items()}
    everything = set().union(*subjects.values()) if subjects else set()
    for profile, names in subjects.items():
        for missing in sorted(everything - names):
            yield ("budgets", profile.value), f"budgets.{profile.value}: {missing} has none here, but elsewhere it has"
    for subject in sorted(everything & set(spec.out_of_scope)):
        yield ("out_of_scope", subject), f"out_of_scope.{subject}: it has a budget as well"


def _overrides(spec: GateSpec) -> Iterator[Problem]:
    seen: set[tuple[DeploymentProfile, str]] = set()
    for at, item in enumerate(spec.overrides):
        if item.subject not in spec.budgets.get(item.profile, {}):
            yield ("overrides", at), f"overrides.{at}: {item.profile.value} has no budget for {item.subject}"
        if not _is_day(item.until):
            yield ("overrides", at, "until"), f"overrides.{at}.until: there is no day {item.until}"
        if (item.profile, item.subject) in seen:
            yield ("overrides", at), f"overrides.{at}: {item.subject} is overridden twice for {item.profile.value}"
        seen.add((item.profile, item.subject))


def check_extends(old: GateSpec, new: GateSpec, where: str) -> None:
    """Refuse a ledger that rewrites what stood in it before: entries are added, never changed.

    Raises:
        GateError: an entry of `old` was changed or taken away.
    """
    for at, before in enumerate(old.changes):
        if at >= len(new.changes) or new.changes[at] != before:
            raise GateError(
                f"{where}: changes.{at} ({before.date}) is not what it was: entries are added, never changed",
                hint="Put the old entry back and add a new one.",
            )
