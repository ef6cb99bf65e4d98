"""What a check of the doctrine ends with: each invariant with its answer, what is missing, PRF-001 or PRF-002."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from prfpipe import doctrine
from prfpipe.events import Event, make_event
from prfpipe.models import ClaimWord, Record, RunId, VerdictWord

Scope = Literal["project", "bundle", "archive"]


class Lack(Record):
    """Something that the doctrine asks for and that is missing.

    `clause`: what lacks it: an artifact, a lever, a principle, or `bundle` for what belongs to no artifact.
    `missing`: files, a field, or what is not shown. `invariants`: those that do not hold because of it.
    """

    invariants: tuple[str, ...]
    clause: str
    missing: str
    lever: str | None = None
    run_id: RunId | None = None


class InvariantResult(Record):
    """One invariant: it holds if and only if nothing that it asks for is missing."""

    id: str
    statement: str
    holds: bool
    detail: str


class SeenBundle(Record):
    """A bundle that was looked into. The words of one that failed its audit cannot be believed and are None."""

    lever: str | None
    run_id: RunId | None
    verdict: VerdictWord | None
    claim: ClaimWord | None


class OwnerPlace(Record):
    """A row of the doctrine's implementation mapping (section 7.4), and where its concerns are implemented here."""

    subsystem: str
    track: str
    concerns: tuple[str, ...]
    places: tuple[str, ...]


class Compliance(Record):
    """Compliant if and only if each invariant holds. `target`: what was checked, by its path or URL."""

    format: Literal["prfpipe/doctrine/v1"] = "prfpipe/doctrine/v1"
    scope: Scope
    target: str
    compliant: bool
    invariants: tuple[InvariantResult, ...]
    lacks: tuple[Lack, ...]
    notes: tuple[str, ...]
    bundles: tuple[SeenBundle, ...]
    owners: tuple[OwnerPlace, ...]
    events: tuple[Event, ...]


def conclude(
    scope: Scope, target: str, details: Mapping[str, str], lacks: Sequence[Lack], *, time: str,
    notes: Sequence[str] = (), bundles: Sequence[SeenBundle] = (), owners: Sequence[OwnerPlace] = (),
) -> Compliance:  # fmt: skip
    """The answer to each invariant that is a key of `details`, and the events that follow at `time` (UTC).

    `details`: what each invariant was checked on, for people.
    """
    results = tuple(
        _result(invariant, details[invariant.id], lacks)
        for invariant in doctrine.INVARIANTS
        if invariant.id in details
    )  # fmt: skip
    return Compliance(
        scope=scope,
        target=target,
        compliant=bool(results) and not lacks,
        invariants=results,
        lacks=tuple(lacks),
        notes=tuple(notes),
        bundles=tuple(bundles),
        owners=tuple(owners),
        events=tuple(_events(scope, target, results, lacks, time)),
    )


def _result(invariant: doctrine.Invariant, detail: str, lacks: Sequence[Lack]) -> InvariantResult:
    holds = not any(invariant.id in lack.invariants for lack in lacks)
    return InvariantResult(id=invariant.id, statement=invariant.statement, holds=holds, detail=detail)


def _events(
    scope: Scope, target: str, results: Sequence[InvariantResult], lacks: Sequence[Lack], time: str
) -> Iterator[Event]:
    """PRF-001 if nothing is missing, PRF-002 for each thing that is."""
    for lack in lacks:
        figures: dict[str, float | str] = {
            "scope": scope, "clause": lack.clause, "missing": lack.missing, "invariants": ", ".join(lack.invariants),
        }  # fmt: skip
        detail = f": {lack.clause}: {lack.missing}"
        yield make_event("PRF-002", figures, time=time, detail=detail, run_id=lack.run_id, lever=lack.lever)
    if results and not lacks:
        checked = ", ".join(result.id for result in results)
        yield make_event("PRF-001", {"scope": scope, "target": target, "invariants": checked}, time=time)
