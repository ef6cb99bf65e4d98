"""How the tests of faults and attacks ask for an audit: one place, whatever an audit needs besides the files."""

from collections.abc import Mapping

from prfpipe.attest.trust import Trust
from prfpipe.audit import AuditReport, audit_files
from tests.support.bundles import TRUST


def audited(files: Mapping[str, bytes], trust: Trust = TRUST) -> AuditReport:
    """The audit of a bundle given as its files, by somebody who trusts the key of the tests' own bundles."""
    return audit_files(files, trust)


def refusals(report: AuditReport) -> list[str]:
    """The checks that fail, by name."""
    return [check.id for check in report.checks if check.result == "fails"]
