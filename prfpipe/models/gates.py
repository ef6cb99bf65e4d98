"""A `gate.yaml`, validated, and what a gate says in the end."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from prfpipe.doctrine import PRINCIPLES
from prfpipe.models.base import Record, RunId, Sha256
from prfpipe.models.plan import HostFingerprint, NoiseProbe, Provenance

GateId = Literal["PRF-01", "PRF-02", "PRF-03", "PRF-04"]
GATE_IDS: tuple[GateId, ...] = ("PRF-01", "PRF-02", "PRF-03", "PRF-04")
GateUnit = Literal["ms", "percent"]
Budget = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""What a subject may use: its p99 in ms, or (PRF-03) its overhead in percent."""
Reasoned = Annotated[str, Field(min_length=20, max_length=2000)]
"""A written reason; shorter ones say nothing."""
_UNITS: dict[str, GateUnit] = {principle.id: principle.unit for principle in PRINCIPLES}


class DeploymentProfile(StrEnum):
    """Where the runtime is deployed; each has budgets of its own."""

    DEV_LOCAL = "dev_local"
    CI_DEV = "ci_dev"
    ENTERPRISE = "enterprise"


Budgets = dict[DeploymentProfile, dict[str, Budget]]
"""By deployment profile and subject."""


class PythonSubject(Record):
    """A Python file of the gate's folder."""

    python: str


class CommandSubject(Record):
    """Any program; run with the gate's folder as its working folder."""

    command: tuple[str, ...] = Field(min_length=1)


class LeverSubject(Record):
    """A lever folder (PRF-03): its baseline is the runtime without instrumentation, its candidate the one with it."""

    lever: str


GateSubject = PythonSubject | CommandSubject | LeverSubject


class BudgetChange(Record):
    """One entry of the ledger. `set` and `out_of_scope` add or replace, `remove` takes a subject out of a profile.

    A subject in `out_of_scope` loses its budgets; one in `set` is in scope again. `measures`: by file, the digest of
    what decides what is measured (`prfpipe.gates.ledger.digest_of`), from this entry on.
    """

    date: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    reason: Reasoned
    set: Budgets = Field(default_factory=dict)
    out_of_scope: dict[str, Reasoned] = Field(default_factory=dict)
    remove: dict[DeploymentProfile, tuple[str, ...]] = Field(default_factory=dict)
    measures: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]] = Field(default_factory=dict)


class BudgetOverride(Record):
    """Another budget for one subject of a profile for a while; after the day `until` the standing one counts again."""

    profile: DeploymentProfile
    subject: str
    budget: Budget
    until: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    reason: Reasoned


class GateSpec(Record):
    """A `gate.yaml`, validated. Paths are relative to the gate's folder.

    `version` counts the entries of `changes`, whose fold must be equal to `budgets` and `out_of_scope`, and name what
    is measured by the other keys.
    `out_of_scope`: subjects that cannot meet any budget, and why; they are measured and shown all the same.
    `params`: what the gate's measuring wants to know; the measuring checks it.
    """

    id: GateId
    title: str = Field(min_length=1, max_length=200)
    version: int = Field(ge=1)
    warn_at_percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 80.0
    subject: GateSubject
    requires: tuple[str, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)
    budgets: Budgets
    out_of_scope: dict[str, Reasoned] = Field(default_factory=dict)
    overrides: tuple[BudgetOverride, ...] = ()
    changes: tuple[BudgetChange, ...] = Field(min_length=1)

    @property
    def unit(self) -> GateUnit:
        """What the budgets count in, by the doctrine."""
        return _UNITS[self.id]


class BudgetInForce(Record):
    """A subject's budget today. `standing` is the one without the override, `override` its reason and last day.

    `budget` is None for a subject out of scope; `out_of_scope` then says why.
    """

    subject: str
    budget: Budget | None
    standing: Budget | None = None
    override: str = ""
    out_of_scope: str = ""


class Quantiles(Record):
    """Nearest-rank order statistics of `samples` latencies, in ns."""

    samples: int = Field(ge=1)
    p50_ns: int
    p95_ns: int
    p99_ns: int


CheckState = Literal["pass", "warn", "fail", "undecided", "out-of-scope"]
GateWord = Literal["pass", "warn", "fail", "undecided"]


class GateCheck(Record):
    """One subject against its budget, in the gate's unit (ms or percent).

    `value`: the p99 of the `decided_on` samples, or the estimated overhead; `low`, `high`: its exact bounds, each at
    `confidence` over all looks together, None where n is too small for one. `used_percent`: of the budget, by the
    upper bound where there is one. `first`: the figures of the first 100 samples, which the doctrine asks for.
    `over`: how many of the `decided_on` samples were over the budget. `flamegraph`: the file with the profile of the
    failing path, beside the report.
    """

    subject: str
    state: CheckState
    message: str
    unit: GateUnit
    budget: Budget | None
    used_percent: float | None
    value: float
    low: float | None
    high: float | None
    samples: int = Field(ge=0)
    decided_on: int = Field(default=0, ge=0)
    over: int | None = None
    looks: int = Field(default=0, ge=0)
    confidence: float
    first: Quantiles | None = None
    phases: dict[str, Quantiles] = Field(default_factory=dict)
    flamegraph: str = ""
    override: str = ""


class GateTable(Record):
    """A table of a gate's own: words in the first column, figures with their units in the others."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class GateReport(Record):
    """What one run of a gate found; its files are in a folder that is named by `run_id`.

    `program`: the command that was gated in place of the gate's own subject, if one was. `budget_version`: of the
    gate.yaml, whose bytes have the digest `spec_sha256`.
    """

    format: Literal["prfpipe/gate/v1"] = "prfpipe/gate/v1"
    run_id: RunId
    id: GateId
    title: str
    profile: DeploymentProfile
    state: GateWord
    program: tuple[str, ...] = ()
    checks: tuple[GateCheck, ...] = Field(min_length=1)
    budget_version: int
    warn_at_percent: float
    tables: tuple[GateTable, ...] = ()
    notes: tuple[str, ...] = ()
    host: HostFingerprint
    noise: NoiseProbe
    provenance: Provenance
    spec_sha256: Sha256
    wall_seconds: float
