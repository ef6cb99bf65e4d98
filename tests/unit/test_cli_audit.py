"""What `prfpipe audit` prints: every check that was reached, and one line for those that were not."""

from prfpipe.audit import audit_files
from prfpipe.audit.checks import CHECKS
from prfpipe.cli.audit_text import text


def test_checks_that_were_not_reached_are_one_line_and_stay_in_the_report() -> None:
    report = audit_files({})
    lines = text(report).splitlines()
    assert sum(line.startswith("FAIL") for line in lines) == 1
    assert [line for line in lines if line.startswith("?")] == [
        f"?     {len(CHECKS) - 1} more checks were not reached: what they rest on fails"
    ]
    assert "cannot be told" not in text(report)
    assert sum(check.result == "skipped" for check in report.checks) == len(CHECKS) - 1
