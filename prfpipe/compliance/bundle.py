"""INV-PRF-ARTIFACTS, -PROFILED and -COMPAT over one bundle, which is audited first.

The audit lets a run that was not adopted lack evidence, and a lever that cannot be profiled lack profiles, if they
say so. The doctrine does not: what is missing is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prfpipe import doctrine, layout
from prfpipe.attest import read_statement
from prfpipe.attest.trust import Trust
from prfpipe.audit import AuditReport, Gap, absent_files, examine_files
from prfpipe.audit.bundle import NOBODY
from prfpipe.audit.gaps import BUNDLE, GAPS
from prfpipe.bundle import read_tree
from prfpipe.compliance.report import Compliance, Lack, SeenBundle, conclude
from prfpipe.errors import TamperError

INVARIANTS = tuple(GAPS)


def check_bundle(folder: Path, name: str, *, time: str, trust: Trust = NOBODY) -> Compliance:
    """Check the bundle in a folder; `name` is how the person called it, `time` (UTC) that of the events.

    `trust`: whose signatures are believed; with nobody's, any signer will do.

    Raises:
        InputError: there is no such folder.
    """
    try:
        seen, lacks = examine(read_tree(folder), trust)
    except TamperError as error:
        seen, lacks = UNSEEN, (broken(error.message),)
    return conclude("bundle", name, details(1), lacks, time=time, bundles=(seen,))


UNSEEN = SeenBundle(lever=None, run_id=None, verdict=None, claim=None)


def details(bundles: int) -> dict[str, str]:
    """What each of the three invariants is checked on."""
    count = f"{bundles} bundle{'s' * (bundles != 1)}"
    fields = sum(len(item.fields) for item in doctrine.ARTIFACTS)
    told = (
        f"{len(doctrine.ARTIFACTS)} artifact types with {fields} fields, in {count}",
        f"profiles of both variants and the comparison, in {count}",
        f"proof before and after, of the measured tree, in {count}",
    )
    return dict(zip(INVARIANTS, told, strict=True))


def examine(files: Mapping[str, bytes], trust: Trust = NOBODY) -> tuple[SeenBundle, tuple[Lack, ...]]:
    """Audit a bundle given as its files' bytes by name, and name all that it lacks."""
    report, gaps = examine_files(files, trust)
    seen = SeenBundle(lever=report.lever, run_id=report.run_id, verdict=report.verdict, claim=report.claim)
    found = [*_refusals(files, report)]
    for invariant, missing in gaps.items():
        found += lacks_of(missing, (invariant,), lever=report.lever, run_id=report.run_id)
    return seen, tuple(found)


def lacks_of(
    gaps: Sequence[Gap], invariants: tuple[str, ...], *, lever: str | None = None, run_id: str | None = None
) -> Iterator[Lack]:
    """Gaps as what the doctrine lacks in a run."""
    for gap in gaps:
        because = f" ({gap.excuse})" if gap.excuse else ""
        missing = f"{gap.missing}{because}"
        yield Lack(invariants=invariants, clause=gap.clause, missing=missing, lever=lever, run_id=run_id)


def broken(what: str, *, lever: str | None = None, run_id: str | None = None) -> Lack:
    """A bundle that is not what was sealed shows nothing at all."""
    return Lack(invariants=INVARIANTS, clause=BUNDLE, missing=what, lever=lever, run_id=run_id)


def _refusals(files: Mapping[str, bytes], report: AuditReport) -> Iterator[Lack]:
    """Why an audit refuses the bundle; files that are gone are named by their artifacts."""
    for check in report.checks:
        if check.result != "fails" or check.id in GAPS:
            continue
        absent = _absent(files) if check.id == "files" else []
        yield from lacks_of(absent, INVARIANTS)
        if not absent:
            yield broken(f"{check.title}: {check.detail}")


def _absent(files: Mapping[str, bytes]) -> list[Gap]:
    return list(absent_files(read_statement(files[layout.STATEMENT]).files, files))
