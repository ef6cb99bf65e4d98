"""How the tests of faults and attacks ask for an audit: one place, whatever an audit needs besides the files."""

from collections.abc import Mapping

from prfpipe.audit import AuditReport, audit_files


def audited(files: Mapping[str, bytes]) -> AuditReport:
    """The audit of a bundle given as its files."""
    return audit_files(files)


def refusals(report: AuditReport) -> list[str]:
    """The checks that fail, by name."""
    return [check.id for check in report.checks if check.result == "fails"]
