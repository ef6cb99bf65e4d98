"""`prfpipe` in this process, and what `prfpipe doctrine --json` answers."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from prfpipe.cli import run


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

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
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            code = run(argv)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())
