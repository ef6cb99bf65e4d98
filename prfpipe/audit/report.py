"""What an audit ends with: every check with its result, every figure on the way, and what it does not show."""

from typing import Literal

from prfpipe.attest.trust import SignatureCheck
from prfpipe.audit.workings import Workings
from prfpipe.errors import TamperError
from prfpipe.models import ClaimWord, Record, Sha256, VerdictWord

NOT_SHOWN = (
    "that the samples were measured at all: whoever holds the signing key can make them up, and sign them at any time",
    "that the clocks, the host's name and its description are true: they are the signer's own word",
    "that profiles say what their stacks say: shares, Amdahl's bound and pictures are taken as written (`cpu.folded`)",
)
RAISES_THE_COST = (
    "order seed {seed}, from which each schedule and operation follows, was signed with the plan, before the samples",
    "two copies of the baseline were measured too: an A/A control, outer clocks and CPU times would have to be made up",
    "number {sequence} of its chain: a run that was decided and left out is a gap there (`prfpipe audit --archive`)",
    "measure again from the same plan, best on a host of your own: `prfpipe replay {run_id}`",
)


class Check(Record):
    """One check. `noted`: not as the doctrine wishes, but the bundle says so; `skipped`: cannot be told."""

    id: str
    title: str
    result: Literal["holds", "noted", "fails", "skipped"]
    detail: str


class ChainPlace(Record):
    """Where a statement stands among those of its lever and key; `previous` is the digest of the one before it."""

    sequence: int
    previous: Sha256 | None
    statement_sha256: Sha256


class AuditReport(Record):
    """Accepted if and only if no check fails or is skipped. Words and figures that cannot be believed are None.

    `signature` is what the statement's signature is worth to this verifier. `workings` are the figures from samples
    to verdict. `not_shown` is what no audit can show, `raises_the_cost` what makes it hard all the same.
    """

    format: Literal["prfpipe/audit/v1"] = "prfpipe/audit/v1"
    accepted: bool
    run_id: str | None
    lever: str | None
    verdict: VerdictWord | None
    claim: ClaimWord | None
    signature: SignatureCheck | None
    place: ChainPlace | None
    checks: tuple[Check, ...]
    workings: Workings | None
    not_shown: tuple[str, ...] = NOT_SHOWN
    raises_the_cost: tuple[str, ...] = ()

    @property
    def failure(self) -> str | None:
        """The first check that fails, in words; None if the bundle is accepted."""
        first = next((check for check in self.checks if check.result in ("fails", "skipped")), None)
        return f"{first.title}: {first.detail}" if first else None

    def require(self) -> None:
        """Do nothing if the bundle is accepted.

        Raises:
            TamperError: it is not; the message names the first check that fails.
        """
        if self.failure is not None:
            raise TamperError(
                self.failure,
                hint="Do not use this bundle as evidence; fetch it again and compare, or evaluate again.",
            )
