"""What a store was found to guarantee: recorded in the statement of each bundle that goes into it."""

from typing import Annotated, Literal

from pydantic import Field

from prfpipe.models.base import Record

GuaranteeWord = Literal["held", "not-held", "unknown"]
GuaranteeName = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,39}$")]
StoreKind = Literal["directory", "s3"]
StoreLevel = Literal["locked", "write-once-enforced", "verified-by-digest", "unreliable", "unknown"]
"""The strongest that was really seen, not what is promised:

- `locked`: what is written cannot be removed before its retention ends;
- `write-once-enforced`: of several writers that ask for it, the store lets one create an object, also in a race;
- `verified-by-digest`: the store returns what was put; nothing but our own sha256 notices a change;
- `unreliable`: something that evidence needs was seen to fail;
- `unknown`: it could not be found out, for instance because the store did not answer.
"""


class StoreGuarantees(Record):
    """What was tried on a store, and the level that follows from it (`prfpipe store probe` shows the details)."""

    kind: StoreKind
    guarantees: dict[GuaranteeName, GuaranteeWord]
    level: StoreLevel
