"""A whole archive: each bundle on its own, one in memory at a time, then the chains that their statements form.

What stays of a bundle is its place in its chain. An archive cannot show what was taken from its end; who audited it
before can: `heads` of then and now.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from prfpipe.attest.trust import Trust
from prfpipe.audit.bundle import NOBODY
from prfpipe.audit.chains import ChainBook, ChainWord, Head, Link
from prfpipe.audit.checks import audit_files, unreadable
from prfpipe.audit.report import AuditReport
from prfpipe.errors import IntegrityError, NotFoundError, TamperError
from prfpipe.models import ClaimWord, Record, RunId, VerdictWord

Reader = Callable[[], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Offered:
    """A bundle that an archive offers under this name. `read` gives its files, when its turn has come."""

    lever: str
    run_id: str
    read: Reader


class BundleWord(Record):
    """What one bundle's audit ended with; `problem` is the first check that fails."""

    run_id: RunId
    lever: str
    accepted: bool
    verdict: VerdictWord | None
    claim: ClaimWord | None
    problem: str = ""


class ArchiveReport(Record):
    """Accepted if every bundle is, and no chain has a gap, a fork or another end than was seen before.

    `verdicts` counts the accepted bundles. `signatures` counts what the signatures are worth.
    """

    format: Literal["prfpipe/archive-audit/v1"] = "prfpipe/archive-audit/v1"
    accepted: bool
    bundles: int
    refused: tuple[BundleWord, ...]
    verdicts: dict[str, int]
    signatures: dict[str, int]
    chains: tuple[ChainWord, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    heads: tuple[Head, ...]


class ArchiveAudit:
    """Takes the bundles of an archive one after the other; `report` concludes."""

    def __init__(self, trust: Trust = NOBODY, seen: Iterable[Head] = (), *, from_start: bool = True) -> None:
        """`seen`: the ends of chains in an earlier audit. `from_start`: no bundle was left out for being older."""
        self._trust, self._book = trust, ChainBook(tuple(seen), from_start=from_start)
        self._bundles, self._refused = 0, list[BundleWord]()
        self._verdicts, self._signatures = Counter[str](), Counter[str]()

    def take(self, offered: Offered) -> BundleWord:
        """Audit one bundle.

        Raises:
            StoreError: the archive cannot be read now; what it lost or changed is no such error, but a refusal.
        """
        report = _audited(offered, self._trust)
        word = _word(offered, report)
        self._bundles += 1
        if word.accepted:
            self._verdicts[str(word.verdict)] += 1
        else:
            self._refused.append(word)
        self._place(offered, report)
        return word

    def _place(self, offered: Offered, report: AuditReport) -> None:
        signed, place = report.signature, report.place
        self._signatures[signed.state if signed else "unreadable"] += 1
        # A signature that is refused must not make a chain look forked.
        if signed and place and signed.state != "refused":
            told = (place.sequence, place.previous, place.statement_sha256)
            self._book.add(Link(offered.lever.upper(), signed.keyid, offered.run_id, *told))

    def report(self) -> ArchiveReport:
        """What all bundles and their chains together say."""
        found = self._book.conclude()
        return ArchiveReport(
            accepted=not self._refused and not found.problems,
            bundles=self._bundles,
            refused=tuple(self._refused),
            verdicts=dict(sorted(self._verdicts.items())),
            signatures=dict(sorted(self._signatures.items())),
            chains=found.chains,
            problems=found.problems,
            notes=found.notes,
            heads=found.heads,
        )


def _audited(offered: Offered, trust: Trust) -> AuditReport:
    try:
        files = offered.read()
    except (IntegrityError, NotFoundError, TamperError) as error:
        return unreadable(error.message)
    return audit_files(files, trust)


def _word(offered: Offered, report: AuditReport) -> BundleWord:
    problem = report.failure or ""
    if not problem and report.run_id != offered.run_id:
        problem = f"it is the bundle of run {report.run_id}"
    return BundleWord(
        run_id=offered.run_id,
        lever=offered.lever.upper(),
        accepted=not problem,
        verdict=report.verdict,
        claim=report.claim,
        problem=problem,
    )
