"""What an audit ends with: every check with its result."""

from typing import Literal

from prfpipe.errors import TamperError
from prfpipe.models import ClaimWord, Record, VerdictWord

UNSIGNED = "none: this shows integrity since sealing, not who made it"


class Check(Record):
    """One check. `noted`: not as the doctrine wishes, but the bundle says so; `skipped`: cannot be told."""

    id: str
    title: str
    result: Literal["holds", "noted", "fails", "skipped"]
    detail: str


class AuditReport(Record):
    """Accepted if and only if no check fails or is skipped. Words that cannot be believed are None."""

    format: Literal["prfpipe/audit/v1"] = "prfpipe/audit/v1"
    accepted: bool
    run_id: str | None
    lever: str | None
    verdict: VerdictWord | None
    claim: ClaimWord | None
    signature: str
    checks: tuple[Check, ...]

    def require(self) -> None:
        """Do nothing if the bundle is accepted.

        Raises:
            TamperError: it is not; the message names the first check that fails.
        """
        if self.accepted:
            return
        first = next(check for check in self.checks if check.result in ("fails", "skipped"))
        raise TamperError(
            f"{first.title}: {first.detail}",
            hint="Do not use this bundle as evidence; fetch it again and compare, or evaluate again.",
        )
