"""`report.html` of a gate: one self-contained page, the answer first. No script, nothing from the network."""

from collections.abc import Sequence

from prfpipe.gates.findings import Findings
from prfpipe.models import GateReport


def page(report: GateReport, found: Findings, earlier: Sequence[GateReport]) -> bytes:
    """The page."""
    return b""
