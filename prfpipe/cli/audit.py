"""`prfpipe audit`."""

import argparse
from pathlib import Path

from prfpipe.audit import AuditReport, audit
from prfpipe.cli.output import print_json, print_text

_SIGNS = {"holds": "ok  ", "noted": "note", "fails": "FAIL"}


def command(arguments: argparse.Namespace) -> int:
    """Audit a bundle on this machine, or one that is fetched from the store first."""
    report = _audit(arguments)
    if arguments.json:
        print_json(report.model_dump(mode="json"))
    else:
        print_text(text(report))
    return 0 if report.accepted else 1


def _audit(arguments: argparse.Namespace) -> AuditReport:
    folder = Path(arguments.bundle)
    if folder.is_dir() or len(folder.parts) > 1:
        return audit(folder)
    import tempfile

    from prfpipe.attest import manifest_of
    from prfpipe.cli.stores import store_of
    from prfpipe.store.evidence import fetch, resolve

    store = store_of(arguments)
    ref = resolve(store, arguments.bundle)
    with tempfile.TemporaryDirectory(prefix="prfpipe-audit-") as scratch:
        return audit(fetch(store, ref, Path(scratch, "bundle"), lambda data: manifest_of(data, ref.run_id)))


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
