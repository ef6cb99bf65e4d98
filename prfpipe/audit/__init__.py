"""Bytes -> accept or refuse: files, journal, samples, then statistics, verdict and reports again.

Nothing here measures, starts a process or talks to a network; an auditor needs the bundle and this package.

    report.py   what an audit ends with
    bundle.py   the parts of a bundle, each parsed once
    checks.py   every check, in order
    samples.py  what the plan says about samples
"""

from prfpipe.audit.checks import audit, audit_files
from prfpipe.audit.report import AuditReport, Check

__all__ = ["AuditReport", "Check", "audit", "audit_files"]
