"""`prfpipe audit`."""

import argparse

from prfpipe.audit import AuditReport, audit
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import bundle_folder

_SIGNS = {"holds": "ok  ", "noted": "note", "fails": "FAIL"}


def command(arguments: argparse.Namespace) -> int:
    """Audit a bundle on this machine, or one that is fetched from the store first."""
    with bundle_folder(arguments) as folder:
        report = audit(folder)
    if arguments.json:
        print_json(report.model_dump(mode="json"))
    else:
        print_text(text(report))
    return 0 if report.accepted else 1


def text(report: AuditReport) -> str:
    """Every check that was reached on a line, how many were not, then the result."""
    reached = [check for check in report.checks if check.result != "skipped"]
    lines = [f"{_SIGNS[check.result]}  {check.title}: {check.detail}" for check in reached]
    if later := len(report.checks) - len(reached):
        lines.append(f"?     {later} more checks were not reached: what they rest on fails")
    word = "ACCEPTED" if report.accepted else "REFUSED"
    claim = f"verdict {report.verdict}, claim {report.claim}" if report.accepted else "nothing in it can be relied on"
    name = report.run_id or "this bundle"
    return "\n".join([*lines, "", f"signature: {report.signature}", f"{word}: {name}: {claim}"])
