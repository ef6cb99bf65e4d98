"""`prfpipe` in this process, and what `prfpipe doctrine --json` answers."""

from tests.support import commands
from tests.support.commands import Ended


class Answer(Ended):
    """How `prfpipe doctrine --json` ended."""

    @property
    def lacks(self) -> dict[str, str]:
        """What is missing, by clause; the last where a clause lacks several things."""
        return {lack["clause"]: lack["missing"] for lack in self.document["lacks"]}

    @property
    def failing(self) -> set[str]:
        return {item["id"] for item in self.document["invariants"] if not item["holds"]}

    @property
    def codes(self) -> list[str]:
        return [event["code"] for event in self.document["events"]]


def prfpipe(*argv: str) -> Answer:
    """Run a command line."""
    return Answer(*commands.prfpipe(*argv))
