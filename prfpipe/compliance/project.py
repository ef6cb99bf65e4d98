"""INV-PRF-PRINCIPLES: each principle has a metric and a gate, with budgets that agree with the doctrine's figures."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from prfpipe import doctrine
from prfpipe.compliance.report import Compliance, Lack, OwnerPlace, conclude
from prfpipe.errors import GateError
from prfpipe.gates import Gate, ledger, load_gate
from prfpipe.gates.run import MEASURES
from prfpipe.gates.spec import FILE_NAME
from prfpipe.lever import list_levers
from prfpipe.models import BudgetInForce, DeploymentProfile
from prfpipe.models.gates import GATE_IDS

PRINCIPLES = "INV-PRF-PRINCIPLES"


@dataclass(frozen=True)
class Project:
    """Where a project keeps its gates and its levers, and the day on which their budgets are looked at."""

    gates: Path
    levers: Path
    today: date


@dataclass(frozen=True)
class Found:
    """What the principles lack, what a reader should know although it holds, and what was looked at."""

    lacks: tuple[Lack, ...]
    notes: tuple[str, ...]
    details: dict[str, str]


def check_project(project: Project, *, time: str) -> Compliance:
    """Check the project's gates; `time` (UTC) is that of the events.

    Raises:
        LeverError: a lever's folder is not valid.
    """
    found = principles(project)
    return conclude(
        "project", str(project.gates), found.details, found.lacks, time=time,
        notes=found.notes, owners=owners(project),
    )  # fmt: skip


def principles(project: Project) -> Found:
    """INV-PRF-PRINCIPLES."""
    gates, lacks = _read(project)
    notes: list[str] = []
    refused = {lack.clause for lack in lacks}
    for principle in doctrine.PRINCIPLES:
        if gate := gates.get(principle.id):
            lacks += [_lack(principle.id, what) for what in _gate_lacks(principle, gate, project.today)]
            notes += _notes(principle, gate, project.today)
        elif principle.id not in refused:
            lacks.append(_lack(principle.id, f"no gate: {project.gates} has no folder with a gate.yaml of this id"))
    return Found(tuple(lacks), tuple(notes), {PRINCIPLES: _detail(gates)})


def owners(project: Project) -> tuple[OwnerPlace, ...]:
    """The doctrine's implementation mapping (section 7.4), each concern with the folders and modules it has here.

    Raises:
        LeverError: a lever's folder is not valid.
    """
    places = {lever.spec.id: [f"{project.levers / lever.root.name}"] for lever in list_levers(project.levers)}
    for identity, gate in _read(project)[0].items():
        places[identity] = [f"{project.gates / gate.root.name}", MEASURES.get(gate.spec.id, "no metric")]
    return tuple(_owner(row, places) for row in doctrine.OWNERS)


def _owner(row: doctrine.Owner, places: Mapping[str, list[str]]) -> OwnerPlace:
    found = [place for concern in row.concerns for place in places.get(concern, [f"{concern}: not here"])]
    return OwnerPlace(subsystem=row.subsystem, track=row.track, concerns=row.concerns, places=tuple(found))


def _read(project: Project) -> tuple[dict[str, Gate], list[Lack]]:
    """The gates whose gate.yaml and ledger hold, by id, and what is wrong with the others."""
    gates: dict[str, Gate] = {}
    lacks = []
    for path in sorted(project.gates.glob(f"*/{FILE_NAME}")):
        try:
            gate = load_gate(path.parent)
        except GateError as error:
            lacks.append(_lack(_principle_of(path.parent), error.message))
            continue
        first = gates.setdefault(gate.spec.id, gate)
        if first is not gate:
            lacks.append(_lack(gate.spec.id, f"two gates have this id: {first.root.name} and {gate.root.name}"))
    return gates, lacks


def _detail(gates: Mapping[str, Gate]) -> str:
    budgets = sum(len(subjects) for gate in gates.values() for subjects in gate.spec.budgets.values())
    return f"{len(gates)} of {len(doctrine.PRINCIPLES)} gates, {budgets} budgets in {len(DeploymentProfile)} profiles"


def _lack(clause: str, missing: str) -> Lack:
    return Lack(invariants=(PRINCIPLES,), clause=clause, missing=missing)


def _principle_of(folder: Path) -> str:
    """Whose gate a folder holds that cannot be read: its name begins with the id."""
    name = folder.name.upper().replace("_", "-")
    return next((known for known in GATE_IDS if name.startswith(known)), FILE_NAME)


def _gate_lacks(principle: doctrine.Principle, gate: Gate, today: date) -> Iterator[str]:
    if problem := _unmeasured(gate):
        yield problem
    for profile in DeploymentProfile:
        if not gate.spec.budgets.get(profile):
            yield f"no budget for the profile {profile.value}"
    # What the doctrine asks for is a threshold in CI; another profile may have another, if it says so.
    for budget in _looser(principle, gate, DeploymentProfile.CI_DEV, today):
        yield _told_looser(principle, DeploymentProfile.CI_DEV, budget)


def _unmeasured(gate: Gate) -> str:
    """Why nothing measures this gate; empty if something does."""
    name = MEASURES.get(gate.spec.id)
    if name is None:
        return "no metric: no module is registered to measure it"
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        return f"no metric: {name} cannot be imported: {error}"
    return "" if callable(getattr(module, "open_measurement", None)) else f"no metric: {name} measures nothing"


def _in_force(gate: Gate, profile: DeploymentProfile, today: date) -> list[BudgetInForce]:
    return list(ledger.in_force(gate.spec, profile, today).values()) if gate.spec.budgets.get(profile) else []


def _looser(
    principle: doctrine.Principle, gate: Gate, profile: DeploymentProfile, today: date
) -> Iterator[BudgetInForce]:
    limit = principle.budget
    for found in _in_force(gate, profile, today):
        if limit is not None and found.budget is not None and found.budget > limit:
            yield found


def _told_looser(principle: doctrine.Principle, profile: DeploymentProfile, found: BudgetInForce) -> str:
    unit = {"percent": "%"}.get(principle.unit, principle.unit)
    override = f", {found.override}" if found.override else ""
    return (
        f"the budget of {found.subject} for {profile.value} is {found.budget:g} {unit}, looser than the doctrine's "
        f"{principle.budget:g} {unit}{override}"
    )


def _notes(principle: doctrine.Principle, gate: Gate, today: date) -> Iterator[str]:
    """What holds, and a reader should know all the same."""
    for profile in DeploymentProfile:
        if profile is not DeploymentProfile.CI_DEV:
            for found in _looser(principle, gate, profile, today):
                yield f"{principle.id}: {_told_looser(principle, profile, found)}"
    for subject, reason in gate.spec.out_of_scope.items():
        yield f"{principle.id}: {subject} is out of scope: {reason}"
