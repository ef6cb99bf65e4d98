"""Bytes -> accept/refuse: envelopes, files, journal, samples, then statistics, verdict and reports again.

Nothing here measures, starts a process or talks to a network; an auditor needs the bundle and this package.

    report.py    what an audit ends with
    bundle.py    the parts of a bundle, each parsed once
    checks.py    every check, in order
    seals.py     as it was sealed, by whom: envelopes, signatures, files, the plan's seal
    origin.py    plan, rule and journal: what was decided beforehand, and in which order everything was made
    samples.py   what the plan says about samples
    rederived.py what the recorded bytes give again: verdict, reports, events
    workings.py  every figure on the way from samples to verdict
    doctrine.py  the invariants, judged: may this run lack that?
    gaps.py      what a bundle lacks of the invariants, as data
    fields.py    every field that the doctrine lists, looked up
"""

from prfpipe.audit.checks import audit, audit_files, examine_files, unreadable
from prfpipe.audit.gaps import Gap, absent_files
from prfpipe.audit.report import AuditReport, Check

__all__ = ["AuditReport", "Check", "Gap", "absent_files", "audit", "audit_files", "examine_files", "unreadable"]
